import type { DirectTransaction } from "../../database/directTransaction.js";
import type { Instant } from "../../database/instant.js";
import { statement } from "../../database/statement.js";
import {
  correctionsOf,
  type PersonChange,
  requestChanges,
  stayChanges,
  tellNewEvents,
} from "../stays/changes.js";
import { correctEvents, insertEvents, upsertRequests, upsertStays } from "../stays/rows.js";
import { Contributions } from "./contributions.js";
import { addCounts, type ChannelChange } from "./counterRows.js";

/**
 * Writes the changes of persons and everything that is counted of them. The channels are locked.
 * @param lastSequences of the channels, by channel id
 * @param now when the updates that made the changes are stored; null if no update made them
 * @returns the ids of the channels in which something happened
 */
export async function writeChanges(
  transaction: DirectTransaction,
  changes: readonly PersonChange[],
  lastSequences: Map<string, number>,
  now: Instant | null,
): Promise<Set<string>> {
  const events = tellNewEvents(changes, lastSequences);
  const channels = new Map<string, ChannelChange>();
  for (const [channelId, lastSequence] of lastSequences)
    channels.set(channelId, { channelId, lastSequence, contributions: new Contributions() });
  const stays: Parameters<typeof upsertStays>[0][number][] = [];
  const requests: Parameters<typeof upsertRequests>[0][number][] = [];
  for (const change of changes) {
    const person = change.after;
    const contributions = channels.get(person.channelId)?.contributions;
    if (!contributions) throw new Error("A channel of a batch is not locked.");
    const ofStays = stayChanges(change);
    for (const stay of ofStays.gone) contributions.stay(stay, -1);
    for (const stay of ofStays.come) {
      contributions.stay(stay, 1);
      stays.push({ person, stay });
    }
    const ofRequests = requestChanges(change);
    for (const request of ofRequests.gone) contributions.request(request, -1);
    for (const request of ofRequests.come) {
      contributions.request(request, 1);
      requests.push({ person, request });
    }
  }
  const [links, linkQuarters, channelQuarters, activities] = addCounts([...channels.values()], now);
  await transaction.query(statement("member_changes_store")`
    with events as (${insertEvents(events)}), stays as (${upsertStays(stays)}),
      requests as (${upsertRequests(requests)}), links as (${links}), link_quarters as (${linkQuarters}),
      channel_quarters as (${channelQuarters})
    ${activities}`);
  const corrections = changes.flatMap(correctionsOf);
  if (corrections.length > 0) await transaction.queryOnce(correctEvents(corrections));
  const changed = [...events, ...corrections].map(({ channelId }) => channelId);
  return new Set([...changed, ...requests.map(({ person }) => person.channelId)]);
}

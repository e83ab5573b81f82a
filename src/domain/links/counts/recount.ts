import type { Database } from "../../../database/database.js";
import { type AuditEntry, auditMany, SERVER } from "../../shared/audit.js";
import type { Caller } from "../../shared/caller.js";
import type { Counter, FoundDifference } from "../../shared/counter.js";
import { NotFoundError } from "../../shared/errors.js";
import { newId } from "../../shared/ids.js";
import { memberCounts } from "../../stays/memberCounts.js";
import { linkCounts } from "./linkCounts.js";

/** The counters that `invite-links recount` checks. */
const COUNTERS: readonly Counter[] = [linkCounts, memberCounts];

/** Where a counter differs from what it counts, as the command writes it. */
export interface Difference extends Omit<FoundDifference, "channelId"> {
  /** The Telegram chat id of the channel; null for a difference outside of all channels. */
  readonly chatId: number | null;
}

/** Finds the differences in one snapshot, so that a transaction in progress does not look like a difference. */
async function find(database: Database, channelId: string | null): Promise<FoundDifference[]> {
  return database.maintenance("snapshot", async (session) => {
    const found: FoundDifference[] = [];
    for (const counter of COUNTERS) found.push(...(await counter.find(session, channelId)));
    return found;
  });
}

async function describe({ prisma }: Database, found: readonly FoundDifference[]): Promise<Difference[]> {
  const ids = [...new Set(found.flatMap(({ channelId }) => channelId ?? []))];
  const channels = await prisma.channel.findMany({
    where: { id: { in: ids } },
    select: { id: true, chatId: true },
  });
  const chatIds = new Map(channels.map(({ id, chatId }) => [id, Number(chatId)]));
  return found.map(({ counter, problem, channelId, rows, example }) => ({
    counter,
    chatId: channelId === null ? null : (chatIds.get(channelId) ?? null),
    problem,
    rows,
    example,
  }));
}

/** One audit entry for each channel whose counters are corrected, and one for the counters of no channel. */
const entriesOf = (found: readonly FoundDifference[]): AuditEntry[] =>
  [...new Set(found.map(({ channelId }) => channelId))].map((channelId) => ({
    action: channelId === null ? "counter.recount" : "channel.recount",
    subjectId: channelId ?? newId(),
    channelId,
    change: {
      counters: found
        .filter((difference) => difference.channelId === channelId)
        .map(({ counter, problem, rows }) => ({ counter, problem, rows })),
    },
  }));

/**
 * Compares the counters with what they count and, unless `checkOnly`, repairs them.
 * @param chatId null for all channels
 * @param caller who repairs them, for the audit
 * @returns the differences that were found
 * @throws NotFoundError for a chat whose channel is not known
 */
export async function recount(
  database: Database,
  { chatId, checkOnly }: { readonly chatId: number | null; readonly checkOnly: boolean },
  caller: Pick<Caller, "key"> = SERVER,
): Promise<Difference[]> {
  const channel =
    chatId === null ? null : await database.prisma.channel.findUnique({ where: { chatId: BigInt(chatId) } });
  if (chatId !== null && channel === null) throw new NotFoundError("channel");
  const channelId = channel?.id ?? null;
  const found = await find(database, channelId);
  const differences = await describe(database, found);
  if (checkOnly || found.length === 0) return differences;
  for (const counter of COUNTERS) await counter.repair(database, channelId);
  await database.transaction((unit) => auditMany(unit, caller, entriesOf(found)));
  return differences;
}

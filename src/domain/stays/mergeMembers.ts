import sql, { raw } from "sql-template-tag";
import { statement } from "../../database/statement.js";
import {
  changeHistory,
  correctionsOf,
  type LeaveToldTwice,
  leavesToldTwice,
  NO_NEWS,
  type PersonChange,
  requestChanges,
  stayChanges,
  tellNewEvents,
} from "./changes.js";
import { quartersOfLinks, recountChannel } from "./memberCounts.js";
import {
  correctEvents,
  deleteStays,
  insertEvents,
  readHistories,
  type Session,
  upsertRequests,
  upsertStays,
} from "./rows.js";

/** Two channels of one chat, of which one remains. */
export interface MergedChannels {
  /** The channel id that goes. */
  readonly from: string;
  /** The channel id that remains. */
  readonly to: string;
  /** Of the two, the channel that had the chat's former id: its member events come first. */
  readonly older: string;
}

/** Two links of one address: the links of the channel that goes and of the one that remains. */
export interface MergedLink {
  readonly dropped: string;
  readonly kept: string;
}

const DROPPED_AND_KEPT = (links: readonly MergedLink[]) => sql`
  unnest(${links.map(({ dropped }) => dropped)}::uuid[], ${links.map(({ kept }) => kept)}::uuid[])
    as pair (dropped, kept)`;

/** Gives what happened by the links that are dropped to the links that are kept, whose roll-ups mergeMembers computes anew. */
export async function mergeLinks(
  session: Session,
  { from, to }: MergedChannels,
  links: readonly MergedLink[],
): Promise<void> {
  if (links.length === 0) return;
  const pairs = DROPPED_AND_KEPT(links);
  for (const table of [sql`membership`, sql`member_event`, sql`join_request`]) {
    // The indexes begin with the channel.
    await session.query(statement("member_merge_point_rows")`
      update ${table} m set link_id = kept from ${pairs}
      where m.channel_id = any(${[from, to]}::uuid[]) and m.link_id = dropped`);
  }
  await session.query(statement("member_merge_drop_link_quarters")`
    delete from link_quarter where link_id = any(${links.map(({ dropped }) => dropped)}::uuid[])`);
  await session.query(statement("member_merge_policies")`
    insert into join_request_policy (link_id, channel_id, approve_after_seconds)
    select kept, ${to}::uuid, approve_after_seconds from join_request_policy join ${pairs} on link_id = dropped
    on conflict do nothing`);
}

/** Moves the sequences of the newer channel behind those of the older one, and everything into the channel that remains. */
async function moveRows(session: Session, { from, to, older }: MergedChannels): Promise<void> {
  const newer = older === from ? to : from;
  const [activity] = await session.query<{ lastSequence: number }>(statement("member_merge_older_sequence")`
    select last_sequence as "lastSequence" from channel_activity where channel_id = ${older}::uuid`);
  const offset = activity?.lastSequence ?? 0;
  // By way of negative numbers, because a number may be taken until its own event has moved.
  await session.query(statement("member_merge_shift_events")`
    update member_event set sequence = -sequence - ${offset}::bigint where channel_id = ${newer}::uuid`);
  await session.query(statement("member_merge_settle_events")`
    update member_event set sequence = -sequence where channel_id = ${newer}::uuid`);
  await session.query(statement("member_merge_shift_memberships")`
    update membership set join_sequence = join_sequence + ${offset}::bigint,
      leave_sequence = leave_sequence + ${offset}::bigint
    where channel_id = ${newer}::uuid`);
  await session.query(statement("member_merge_shift_requests")`
    update join_request set sequence = sequence + ${offset}::bigint,
      decline_sequence = decline_sequence + ${offset}::bigint
    where channel_id = ${newer}::uuid`);
  for (const table of [
    sql`member_event`,
    sql`membership`,
    sql`join_request`,
    sql`join_request_policy`,
    sql`coverage_gap`,
  ]) {
    await session.query(statement("member_merge_move_rows")`
      update ${table} set channel_id = ${to}::uuid where channel_id = ${from}::uuid`);
  }
  await session.query(statement("member_merge_clear_link_quarters")`
    delete from link_quarter where ${quartersOfLinks([from, to])}`);
  await session.query(statement("member_merge_clear_channel_quarters")`
    delete from channel_quarter where channel_id = any(${[from, to]}::uuid[])`);
}

/**
 * The numbers that are not counted from memberships. Telegram's first count of the members is the older channel's, the last
 * one the newer channel's; what the older channel counted is part of the newer one's balance now.
 */
async function mergeActivity(session: Session, { from, to, older }: MergedChannels): Promise<void> {
  const newer = older === from ? to : from;
  await session.query(statement("member_merge_activity")`
    update channel_activity a set
      since = least(o.since, n.since), last_update_at = greatest(o.last_update_at, n.last_update_at),
      last_sequence = o.last_sequence + n.last_sequence,
      member_count = coalesce(n.member_count, o.member_count),
      member_count_at = case when n.member_count is null then o.member_count_at else n.member_count_at end,
      member_count_balance = case when n.member_count is null then o.member_count_balance
        else n.member_count_balance + o.join_count - o.leave_count end,
      first_member_count = coalesce(o.first_member_count, n.first_member_count),
      first_member_count_balance = case when o.first_member_count is null
        then n.first_member_count_balance + o.join_count - o.leave_count else o.first_member_count_balance end
    from channel_activity o, channel_activity n
    where a.channel_id = ${to}::uuid and o.channel_id = ${older}::uuid and n.channel_id = ${newer}::uuid`);
}

/** The persons with rows in both channels, whose histories become one. */
async function readCommonPersons(session: Session, { from, to }: MergedChannels): Promise<number[]> {
  const of = (channelId: string) => sql`
    select user_id from membership where channel_id = ${channelId}::uuid
    union select user_id from join_request where channel_id = ${channelId}::uuid`;
  const rows = await session.query<{ userId: number }>(statement("member_merge_common_persons")`
    select user_id as "userId" from (${of(from)}) f join (${of(to)}) t using (user_id) order by user_id`);
  return rows.map(({ userId }) => userId);
}

/** Replays the histories of persons who were in both channels. */
async function mergeHistories(
  session: Session,
  channelId: string,
  userIds: readonly number[],
): Promise<void> {
  const persons = userIds.map((userId) => ({ channelId, userId }));
  const histories = await readHistories(session, persons);
  const changes = histories.map((history): PersonChange => changeHistory(history, NO_NEWS));
  const [activity] = await session.query<{ lastSequence: number }>(statement("member_merge_last_sequence")`
    select last_sequence as "lastSequence" from channel_activity where channel_id = ${channelId}::uuid`);
  const events = tellNewEvents(changes, new Map([[channelId, activity?.lastSequence ?? 0]]));
  await session.query(statement("member_merge_insert_events")`${insertEvents(events)}`);
  const stays = changes.flatMap((change) =>
    stayChanges(change).come.map((stay) => ({ person: change.after, stay })),
  );
  await session.query(statement("member_merge_store_memberships")`${upsertStays(stays)}`);
  const requests = changes.flatMap((change) =>
    requestChanges(change).come.map((request) => ({ person: change.after, request })),
  );
  await session.query(statement("member_merge_store_requests")`${upsertRequests(requests)}`);
  const joined = changes.flatMap(({ before, after }) => {
    const kept = new Set(after.stays.map(({ id }) => id));
    return before.stays.flatMap(({ id }) => (id === null || kept.has(id) ? [] : [id]));
  });
  await session.query(
    deleteStays(
      joined.map(() => channelId),
      joined,
    ),
  );
  await session.query(correctEvents(changes.flatMap(correctionsOf)));
  await dropEvents(session, channelId, changes.flatMap(leavesToldTwice));
}

/**
 * Deletes the second member events of leaves that were told twice, and closes the holes in the sequence. They are events of
 * the newer channel, so that the older one's keep their sequences.
 */
async function dropEvents(
  session: Session,
  channelId: string,
  twice: readonly LeaveToldTwice[],
): Promise<void> {
  if (twice.length === 0) return;
  const dropped = twice.map((event) => event.dropped).sort((one, other) => one - other);
  // An inferred leave has no actor.
  await session.query(statement("member_merge_keep_actors")`
    update member_event kept set actor_id = coalesce(kept.actor_id, other.actor_id)
    from unnest(${twice.map(({ kept }) => kept)}::bigint[], ${twice.map((event) => event.dropped)}::bigint[])
        as pair (kept, dropped)
      join member_event other on other.channel_id = ${channelId}::uuid and other.sequence = pair.dropped
    where kept.channel_id = ${channelId}::uuid and kept.sequence = pair.kept`);
  await session.query(statement("member_merge_drop_events")`
    delete from member_event where channel_id = ${channelId}::uuid and sequence = any(${dropped}::bigint[])`);
  const behind = (column: string) =>
    sql`channel_id = ${channelId}::uuid and ${raw(column)} > ${dropped[0]}::bigint`;
  const moved = (column: string) => sql`${raw(column)} - width_bucket(${raw(column)}, ${dropped}::bigint[])`;
  // By way of negative numbers, because a number may be taken until its own event has moved.
  await session.query(statement("member_merge_close_gaps")`
    update member_event set sequence = -(${moved("sequence")}) where ${behind("sequence")}`);
  await session.query(statement("member_merge_settle_gaps")`
    update member_event set sequence = -sequence where channel_id = ${channelId}::uuid and sequence < 0`);
  for (const [table, column] of [
    ["membership", "join_sequence"],
    ["membership", "leave_sequence"],
    ["join_request", "sequence"],
    ["join_request", "decline_sequence"],
  ] as const)
    await session.query(statement("member_merge_follow_gaps")`
      update ${raw(table)} set ${raw(column)} = ${moved(column)} where ${behind(column)}`);
}

/**
 * Merges what is known of the members of two channels that are one chat. The links have been merged already. Both rows of
 * channel_activity are locked.
 */
export async function mergeMembers(session: Session, channels: MergedChannels): Promise<void> {
  const common = await readCommonPersons(session, channels);
  await moveRows(session, channels);
  await mergeActivity(session, channels);
  if (common.length > 0) await mergeHistories(session, channels.to, common);
  await recountChannel(session, channels.to);
}

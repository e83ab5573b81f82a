import type { Database } from "../../database/database.js";
import { statement } from "../../database/statement.js";
import type { Place } from "./channelFeed.js";

/** The channel of a chat to whose events somebody subscribes. */
export interface FollowedChannel {
  readonly channelId: string;
  /** The chat id now, which differs from the one asked for after a chat migration. */
  readonly chatId: number;
  /** The channel's last event. */
  readonly last: Place;
  /**
   * The event asked for. If it does not exist, which happens to some when two channels of one chat are merged, the last
   * event with a smaller id.
   */
  readonly nearest: Place;
  /** The place after which the events under the chat id that was asked for begin. */
  readonly beginning: Place;
}

interface Row {
  readonly channelId: string;
  readonly chatId: number;
  readonly lastSequence: number;
  readonly lastEventId: string | null;
  readonly nearestSequence: number | null;
  readonly nearestId: string | null;
  readonly beginningSequence: number | null;
  readonly beginningId: string | null;
}

/**
 * Finds the channel of a chat by the chat's id now, or by its id before a chat migration.
 * @param eventId the id of an event; null for none
 * @returns null for a chat that is not known here
 */
export async function findFollowedChannel(
  database: Pick<Database, "query">,
  chatId: number,
  eventId: string | null,
): Promise<FollowedChannel | null> {
  const [row] = await database.query<Row>(statement("event_feed_find_channel")`
    select c.id as "channelId", c.chat_id as "chatId", a.last_sequence as "lastSequence", l.id as "lastEventId",
      e.sequence as "nearestSequence", e.id as "nearestId",
      b.sequence as "beginningSequence", b.id as "beginningId"
    from channel c join channel_activity a on a.channel_id = c.id
    left join member_event l on l.channel_id = c.id and l.sequence = a.last_sequence
    left join lateral (
      (select sequence, id from member_event where channel_id = c.id and id = ${eventId}::uuid)
      union all
      (select sequence, id from member_event where channel_id = c.id and id < ${eventId}::uuid
        order by sequence desc limit 1)
      limit 1) e on true
    left join member_event b on b.channel_id = c.id and b.sequence = (
      select (change->>'lastSequence')::bigint from audit_entry
      where action = 'channel.migrate' and channel_id = c.id and change->>'to' = ${String(chatId)}
      order by id desc limit 1)
    where c.id = coalesce(
      (select id from channel where chat_id = ${chatId}::bigint),
      (select channel_id from audit_entry
        where action = 'channel.migrate' and change->>'from' = ${String(chatId)} order by id desc limit 1))`);
  if (!row) return null;
  const { channelId, lastSequence, lastEventId, nearestSequence, nearestId } = row;
  return {
    channelId,
    chatId: row.chatId,
    last: { sequence: lastSequence, eventId: lastEventId },
    nearest: { sequence: nearestSequence ?? 0, eventId: nearestId },
    beginning: { sequence: row.beginningSequence ?? 0, eventId: row.beginningId },
  };
}

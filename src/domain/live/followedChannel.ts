import sql from "sql-template-tag";
import type { Database } from "../../database/database.js";
import type { Place } from "./channelFeed.js";

/** The channel of a chat to whose events somebody subscribes. */
export interface FollowedChannel {
  readonly channelId: string;
  /** The chat id now, which differs from the one asked for after a chat migration. */
  readonly chatId: number;
  /** The channel's last event. */
  readonly last: Place;
  /** The event asked for, or the last one with a smaller id, which is an older one. */
  readonly nearest: Place;
}

interface Row {
  readonly channelId: string;
  readonly chatId: number;
  readonly lastSequence: number;
  readonly lastEventId: string | null;
  readonly nearestSequence: number | null;
  readonly nearestId: string | null;
}

/**
 * Finds the channel of a chat by the chat's id now, or by its id before a chat migration.
 * @param eventId the id of an event, or any UUIDv7 of a time; null for none
 * @returns null for a chat that is not known here
 */
export async function findFollowedChannel(
  database: Pick<Database, "query">,
  chatId: number,
  eventId: string | null,
): Promise<FollowedChannel | null> {
  const [row] = await database.query<Row>(sql`
    select c.id as "channelId", c.chat_id as "chatId", a.last_sequence as "lastSequence", l.id as "lastEventId",
      e.sequence as "nearestSequence", e.id as "nearestId"
    from channel c join channel_activity a on a.channel_id = c.id
    left join member_event l on l.channel_id = c.id and l.sequence = a.last_sequence
    left join lateral (
      select sequence, id from member_event where channel_id = c.id and id <= ${eventId}::uuid
      order by id desc limit 1) e on true
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
  };
}

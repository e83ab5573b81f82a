import type { Database } from "../../database/database.js";
import { statement } from "../../database/statement.js";
import { type Caller, moveChat } from "../shared/caller.js";
import { tokenIdOf } from "./tokenRights.js";

type Reading = Pick<Database, "query">;

/**
 * Gives a caller the new ids of its chats that have migrated since its token was read: a request is authenticated once, and
 * any request, on any server, can follow a chat migration meanwhile. A grant is moved by a chat migration alone.
 * @returns whether there were any
 */
export async function followMovedGrants(database: Reading, caller: Caller): Promise<boolean> {
  const tokenId = tokenIdOf(caller);
  if (caller.chatIds === null || tokenId === null) return false;
  const own = [...caller.chatIds];
  const moved = await database.query<{ from: number; to: number }>(
    statement("token_grants_moved")`
    select (a.change->>'from')::bigint as "from", g.chat_id as "to"
    from channel_grant g join channel c on c.chat_id = g.chat_id
      join audit_entry a on a.subject_id = c.id and a.action = 'channel.migrate'
    where g.token_id = ${tokenId}::uuid and g.chat_id <> all(${own}::bigint[])
      and a.change->>'from' = any(${own.map(String)}::text[])`,
    "frequent and quick",
  );
  for (const { from, to } of moved) moveChat(caller, from, to);
  return moved.length > 0;
}

/**
 * Reads what a caller may see. If something is missing, it is read again with the new ids of the caller's chats, should any
 * have migrated.
 * @param isWhole whether nothing can be missing; by default it is always possible
 */
export async function readVisible<Found>(
  database: Reading,
  caller: Caller,
  read: () => Promise<Found>,
  isWhole: (found: Found) => boolean = () => false,
): Promise<Found> {
  const { chatIds } = caller;
  const found = await read();
  if (chatIds === null || isWhole(found)) return found;
  // Another read of the same request may have been first to notice.
  const hasMoved = caller.chatIds !== chatIds || (await followMovedGrants(database, caller));
  return hasMoved ? read() : found;
}

/** As readVisible, for rows that are looked up by distinct keys. */
export const readVisibleByKey = <Row>(
  database: Reading,
  caller: Caller,
  keys: readonly unknown[],
  read: () => Promise<Row[]>,
): Promise<Row[]> => readVisible(database, caller, read, (rows) => rows.length >= keys.length);

import sql, { type Sql } from "sql-template-tag";
import type { Database } from "../../database/database.js";
import type { DirectTransaction } from "../../database/directTransaction.js";
import { statement } from "../../database/statement.js";
import { type AuditEntry, auditMany } from "../shared/audit.js";
import { type Caller, requireEveryChannel, requireRole } from "../shared/caller.js";
import { ValidationError } from "../shared/errors.js";
import { newId } from "../shared/ids.js";
import { BOT_IDS } from "./marks.js";
import { onePerson, replacePersonIds } from "./personIds.js";

/** The ids of the updates that told of the person's stays and requests. */
const updateIdsOf = (channelIds: readonly string[], userId: number): Sql => sql`
  select unnest(array[join_update_id, leave_update_id]) from membership
  where channel_id = any(${channelIds}::uuid[]) and user_id = ${userId}::bigint
  union select update_id from join_request
  where channel_id = any(${channelIds}::uuid[]) and user_id = ${userId}::bigint`;

interface ErasedUpdates {
  readonly table: Sql;
  /** Finds the rows. */
  readonly where: Sql;
  readonly userId: number;
  readonly otherId: number;
}

/** Replaces the id in updates that are kept. */
async function eraseUpdates(
  transaction: DirectTransaction,
  { table, where, userId, otherId }: ErasedUpdates,
): Promise<void> {
  const rows = await transaction.queryOnce<{ botId: number; updateId: number; body: unknown }>(statement(
    "member_erase_find_updates",
  )`
    select bot_id as "botId", update_id as "updateId", body from ${table} where ${where}`);
  if (rows.length === 0) return;
  const ids = onePerson(userId, otherId);
  const bodies = rows.map(({ body }) => JSON.stringify(replacePersonIds(body, ids)));
  await transaction.queryOnce(statement("member_erase_updates")`
    update ${table} u set body = erased.body,
      user_id = case when u.user_id = ${userId}::bigint then ${otherId}::bigint else u.user_id end,
      actor_id = case when u.actor_id = ${userId}::bigint then ${otherId}::bigint else u.actor_id end
    from unnest(
      ${rows.map(({ botId }) => botId)}::bigint[], ${rows.map(({ updateId }) => updateId)}::bigint[], ${bodies}::json[]
    ) as erased (bot_id, update_id, body)
    where u.bot_id = erased.bot_id and u.update_id = erased.update_id`);
}

/** The person came into another channel while its channels were being locked, or two of them were merged. */
class PersonMovedError extends Error {
  override readonly name = "PersonMovedError";
  /** PostgreSQL's serialization_failure, by which a transaction is repeated. */
  readonly code = "40001";
}

/** The channels in which the person is known. Each channel is looked up by the indexes. */
async function findChannelsOf(transaction: DirectTransaction, userId: number): Promise<string[]> {
  const known = (table: Sql, column: Sql) => sql`
    select c.id from channel c cross join lateral (
      select from ${table} t where t.channel_id = c.id and t.${column} = ${userId}::bigint limit 1
    ) found`;
  const rows = await transaction.queryOnce<{ id: string }>(statement("member_erase_find_channels")`
    ${known(sql`membership`, sql`user_id`)} union ${known(sql`join_request`, sql`user_id`)}
    union ${known(sql`member_event`, sql`actor_id`)}`);
  return rows.map(({ id }) => id);
}

/**
 * Locks the channels in which the person is known, as whoever writes members does.
 * @throws PersonMovedError
 */
async function lockChannelsOf(transaction: DirectTransaction, userId: number): Promise<string[]> {
  const found = await findChannelsOf(transaction, userId);
  await transaction.queryOnce(statement("member_erase_lock_channels")`
    select from channel_activity where channel_id = any(${found}::uuid[]) order by channel_id for no key update`);
  // Whoever had the locks may have moved the person.
  const locked = new Set(found);
  const present = await findChannelsOf(transaction, userId);
  if (!present.every((id) => locked.has(id)))
    throw new PersonMovedError("The person is known in another channel than before.");
  return found;
}

/**
 * Replaces the id of a person in everything that is stored by a negative number that stands for the person alone. Counts
 * stay as they are. Whoever comes back afterwards is a new person.
 * @returns how many member events there are of the person, in all channels
 * @throws ForbiddenError, ValidationError
 */
export async function eraseMember(
  database: Database,
  caller: Caller,
  { userId }: { readonly userId: number },
): Promise<{ readonly eventCount: number }> {
  requireRole(caller, "ADMIN");
  requireEveryChannel(caller);
  if (!Number.isSafeInteger(userId) || userId <= 0) {
    throw new ValidationError([
      { field: "userId", message: "Must be the id of a Telegram user, which is positive." },
    ]);
  }
  return database.directTransaction(async (transaction) => {
    const channelIds = await lockChannelsOf(transaction, userId);
    const [number] = await transaction.queryOnce<{ otherId: number }>(
      statement("member_erase_number")`select nextval('erased_person') as "otherId"`,
    );
    if (!number) throw new Error("The sequence erased_person gave no number.");
    const { otherId } = number;
    const named = sql`user_id = ${userId}::bigint or actor_id = ${userId}::bigint`;
    const told = sql`bot_id = any(array(${BOT_IDS})) and update_id = any(array(${updateIdsOf(channelIds, userId)}))`;
    // The few that are set aside are searched as text, because it is not known where they name persons.
    const mentioned = sql`strpos(body::text, ${String(userId)}) > 0`;
    const inInbox = sql`(bot_id, update_id) in (
      select bot_id, update_id from telegram_update where ${named}
      union select bot_id, update_id from telegram_update where ${told}
      union select bot_id, update_id from failed_update where ${mentioned})`;
    for (const [table, where] of [
      [sql`telegram_update`, inInbox],
      [sql`failed_update`, mentioned],
    ] as const)
      await eraseUpdates(transaction, { table, where, userId, otherId });
    const ofPerson = sql`channel_id = any(${channelIds}::uuid[]) and user_id = ${userId}::bigint`;
    // A person's member events are found by the stays and requests that they tell of.
    const events = await transaction.queryOnce(statement("member_erase_events")`
      update member_event e set user_id = ${otherId}::bigint
      from (
        select channel_id, unnest(array[join_sequence, leave_sequence]) as sequence from membership where ${ofPerson}
        union select channel_id, unnest(array[sequence, decline_sequence]) from join_request where ${ofPerson}
      ) told
      where e.channel_id = told.channel_id and e.sequence = told.sequence and e.user_id = ${userId}::bigint
      returning 1 as one`);
    await transaction.queryOnce(statement("member_erase_actors")`
      update member_event set actor_id = ${otherId}::bigint
      where channel_id = any(${channelIds}::uuid[]) and actor_id = ${userId}::bigint`);
    await transaction.queryOnce(statement("member_erase_memberships")`
      update membership set user_id = ${otherId}::bigint where ${ofPerson}`);
    await transaction.queryOnce(statement("member_erase_requests")`
      update join_request set user_id = ${otherId}::bigint, bio = null where ${ofPerson}`);
    // The number before it, or a minus sign, would make it another person's id.
    const id = `(?<![-\\d])${userId}(?!\\d)`;
    await transaction.queryOnce(statement("member_erase_audit")`
      update audit_entry set change = jsonb_set(change, '{creatorId}',
        regexp_replace((change->'creatorId')::text, ${id}, ${String(otherId)}, 'g')::jsonb)
      where change ? 'creatorId' and (change->'creatorId')::text ~ ${id}`);
    const eventCount = events.length;
    // The entry names nobody: its subject is an id of its own.
    const entry: AuditEntry = { action: "member.erase", subjectId: newId(), change: { eventCount } };
    await auditMany(transaction, caller, [entry]);
    return { eventCount };
  });
}

import sql, { type Sql } from "sql-template-tag";
import type { Database } from "../../database/database.js";
import type { Instant } from "../../database/instant.js";
import { statement } from "../../database/statement.js";
import { newId } from "../shared/ids.js";
import { BOT_IDS, deleteMarks } from "./marks.js";

/** How long updates are kept, and with them the ledger by which a repeated update is recognized. Telegram keeps them for a day. */
export const INBOX_DAYS = 8;
/** Rows that one statement deletes. */
const PORTION = 5000;

/** The time between two updates after which Telegram may go on with any id, in days. */
const QUIET_DAYS = 6;
/** More ids than can be missing in a row: Telegram went on with another id. */
const LONGEST_JUMP = 1_000_000;
/** How long a missing update may still come, in minutes. */
const PATIENCE_MINUTES = 5;

/**
 * Deletes the updates that are older than INBOX_DAYS, and the marks of absences of that time, in small transactions.
 * @returns how many updates were deleted
 */
export async function pruneInbox(database: Database, now = new Date()): Promise<number> {
  const before = new Date(now.getTime() - INBOX_DAYS * 86_400_000).toISOString();
  let count = 0;
  for (;;) {
    const deleted = await database.query(statement("inbox_prune")`
      delete from telegram_update where ctid = any(array(
        select ctid from telegram_update where received_at < ${before}::timestamptz limit ${PORTION}
      )) returning 1 as one`);
    count += deleted.length;
    if (deleted.length < PORTION) break;
  }
  // A mark goes with its update: until then it leads to the person's id in the update.
  await deleteMarks(
    database,
    sql`mark.left_at < ${before}::timestamptz and not exists (
      select from telegram_update u where u.bot_id = any(array(${BOT_IDS})) and u.update_id = mark.leave_update_id
    )`,
  );
  return count;
}

interface StoredId {
  readonly updateId: number;
  readonly receivedAt: Instant;
}

/** An id of an update with the one before it, if there is a jump between them, or the last id. */
interface ComparedId {
  readonly before: number | null;
  readonly after: number;
  readonly beforeAt: Instant | null;
  readonly afterAt: Instant;
  readonly isJump: boolean;
}

/**
 * Looks for ids of updates that never came, and stores a coverage gap for each row of such ids. Telegram counts the updates
 * of a bot, so that an id that is left out was lost. After a week without updates it goes on with a random id.
 *
 * Receiving updates waits for the lock of the row of update_receiver, so that is taken only to store what was found.
 * @returns how many gaps were found
 */
export async function checkUpdateGaps(database: Database, botId: number, now = new Date()): Promise<number> {
  const [receiver] = await database.query<{ checked: number | null }>(
    statement("update_gaps_checked")`${readChecked(botId)}`,
  );
  const checked = receiver?.checked ?? null;
  const start = await findStart(database, botId, checked, now);
  if (start === null) return 0;
  // Higher ids from before a quiet time are not compared. A jump that is not missing ids is no gap.
  const compared = await database.query<ComparedId>(statement("update_gaps_compare")`
    select before, after, before_at as "beforeAt", after_at as "afterAt", is_jump as "isJump"
    from (
      select *, coalesce(after - before > 1 and after - before <= ${LONGEST_JUMP}
        and after_at - before_at < make_interval(days => ${QUIET_DAYS}), false) as is_jump
      from (
        select lag(update_id) over ids as before, update_id as after, lag(received_at) over ids as before_at,
          received_at as after_at, lead(update_id) over ids is null as is_last
        from telegram_update
        where bot_id = ${botId}::bigint and update_id >= ${start.updateId}::bigint
          and received_at > ${start.receivedAt}::timestamptz - make_interval(days => ${QUIET_DAYS})
        window ids as (order by update_id)
      ) stored
    ) compared
    where is_jump or is_last
    order by after`);
  const jumps = compared.filter(({ isJump }) => isJump);
  const patient = new Date(now.getTime() - PATIENCE_MINUTES * 60_000).toISOString();
  const open = jumps.find(({ afterAt }) => afterAt > patient);
  const missing = jumps.filter(({ after }) => open === undefined || after < open.after);
  const end = open ? open.before : (compared.at(-1)?.after ?? null);
  if (end === null || end === checked) return 0;
  return database.transaction(async (unit) => {
    await unit.execute(statement("update_gaps_prepare")`
      insert into update_receiver (bot_id) values (${botId}::bigint) on conflict do nothing`);
    const [locked] = await unit.query<{ checked: number | null }>(
      statement("update_gaps_lock")`${readChecked(botId)} for update`,
    );
    // Another server has compared the same ids meanwhile.
    if (locked?.checked !== checked) return 0;
    for (const { beforeAt, afterAt } of missing) {
      await unit.execute(statement("update_gaps_store")`
        insert into coverage_gap (id, bot_id, reason, from_at, to_at)
        values (${newId()}::uuid, ${botId}::bigint, 'UPDATES_MISSING', least(${beforeAt}::timestamptz, ${afterAt}::timestamptz),
          greatest(${beforeAt}::timestamptz, ${afterAt}::timestamptz))`);
    }
    await unit.execute(statement("update_gaps_store_checked")`
      update update_receiver set checked_update_id = ${end}::bigint where bot_id = ${botId}::bigint`);
    return missing.length;
  });
}

const readChecked = (botId: number) => sql`
  select checked_update_id as checked from update_receiver where bot_id = ${botId}::bigint`;

/** The update from whose id on ids are compared; null where there is no update. */
async function findStart(
  database: Database,
  botId: number,
  checked: number | null,
  now: Date,
): Promise<StoredId | null> {
  const lowest = async (condition: Sql): Promise<StoredId | null> => {
    const [first] = await database.query<StoredId>(statement("update_gaps_first")`
      select update_id as "updateId", received_at as "receivedAt" from telegram_update
      where bot_id = ${botId}::bigint and ${condition} order by update_id limit 1`);
    return first ?? null;
  };
  if (checked === null) return lowest(sql`true`);
  const [quiet] = await database.query<{ since: Instant | null }>(statement("update_gaps_quiet_since")`
    select max(received_at) + make_interval(days => ${QUIET_DAYS}) as since from telegram_update
    where bot_id = ${botId}::bigint and update_id between ${checked}::bigint and ${checked + LONGEST_JUMP}::bigint`);
  const since = quiet?.since ?? null;
  // Lower ids that came after a quiet time begin anew. They are sought among all ids, so only when they can exist.
  const anew =
    since === null || since < now.toISOString()
      ? await lowest(
          sql`update_id < ${checked}::bigint and received_at > ${since ?? "-infinity"}::timestamptz`,
        )
      : null;
  return anew ?? lowest(sql`update_id >= ${checked}::bigint`);
}

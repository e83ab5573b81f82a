import sql from "sql-template-tag";
import type { Database } from "../../database/database.js";
import { newId } from "../shared/ids.js";

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

/** All bots of which there are updates, each found by one look at the index. */
export const BOT_IDS = sql`
  with recursive bot as (
    select min(bot_id) as id from telegram_update
    union all select (select min(bot_id) from telegram_update where bot_id > bot.id) from bot where id is not null
  ) select id from bot where id is not null`;

/**
 * Deletes the updates that are older than INBOX_DAYS, and the marks of absences of that time, in small transactions.
 * @returns how many updates were deleted
 */
export async function pruneInbox(database: Database, now = new Date()): Promise<number> {
  const before = new Date(now.getTime() - INBOX_DAYS * 86_400_000).toISOString();
  let count = 0;
  for (;;) {
    const deleted = await database.query(sql`
      delete from telegram_update where ctid = any(array(
        select ctid from telegram_update where received_at < ${before}::timestamptz limit ${PORTION}
      )) returning 1 as one`);
    count += deleted.length;
    if (deleted.length < PORTION) break;
  }
  // A mark goes with its update: until then it leads to the person's id in the update. It is a row of the index on
  // (channel_id, link_id, joined_at) without a link and a join.
  await database.query(sql`
    delete from membership m using (
      select o.channel_id, o.id from channel c cross join lateral (
        select channel_id, id from membership o
        where o.channel_id = c.id and o.link_id is null and o.joined_at is null and o.is_inferred_leave
          and o.left_at < ${before}::timestamptz
          and not exists (
            select from telegram_update u where u.bot_id = any(array(${BOT_IDS})) and u.update_id = o.leave_update_id
          ) offset 0
      ) o
    ) old
    where m.channel_id = old.channel_id and m.id = old.id`);
  return count;
}

interface Receiver {
  readonly checked: number | null;
}

interface MissingIds {
  readonly after: number;
  readonly fromAt: string;
  readonly toAt: string;
}

/**
 * Looks for ids of updates that never came, and stores a coverage gap for each row of such ids. Telegram counts the updates
 * of a bot, so that an id that is left out was lost. After a week without updates it goes on with a random id.
 * @returns how many gaps were found
 */
export async function checkUpdateGaps(database: Database, botId: number, now = new Date()): Promise<number> {
  const patient = new Date(now.getTime() - PATIENCE_MINUTES * 60_000).toISOString();
  return database.transaction(async (unit) => {
    await unit.execute(
      sql`insert into update_receiver (bot_id) values (${botId}::bigint) on conflict do nothing`,
    );
    const [receiver] = await unit.query<Receiver>(sql`
      select checked_update_id as checked from update_receiver where bot_id = ${botId}::bigint for update`);
    const start = await findStart(unit, botId, receiver?.checked ?? null);
    if (start === null) return 0;
    // Higher ids from before a quiet time are not compared.
    const compared = sql`bot_id = ${botId}::bigint and update_id >= ${start}::bigint and received_at > (
      select received_at - make_interval(days => ${QUIET_DAYS}) from telegram_update
      where bot_id = ${botId}::bigint and update_id = ${start}::bigint)`;
    // The rows after a jump, from the first id on. A jump that is not missing ids is no gap.
    const jumps = await unit.query<MissingIds & { isPatient: boolean; before: number }>(sql`
      select before, update_id as after, before_at as "fromAt", received_at as "toAt",
        received_at <= ${patient}::timestamptz as "isPatient"
      from (
        select update_id, received_at, lag(update_id) over ids as before, lag(received_at) over ids as before_at
        from telegram_update where ${compared} window ids as (order by update_id)
      ) ordered
      where update_id - before > 1 and update_id - before <= ${LONGEST_JUMP}
        and received_at - before_at < make_interval(days => ${QUIET_DAYS})
      order by update_id`);
    const open = jumps.find(({ isPatient }) => !isPatient);
    const missing = jumps.filter(({ after }) => open === undefined || after < open.after);
    for (const { fromAt, toAt } of missing) {
      await unit.execute(sql`
        insert into coverage_gap (id, bot_id, reason, from_at, to_at)
        values (${newId()}::uuid, ${botId}::bigint, 'UPDATES_MISSING', least(${fromAt}::timestamptz, ${toAt}::timestamptz),
          greatest(${fromAt}::timestamptz, ${toAt}::timestamptz))`);
    }
    const end = open
      ? sql`${open.before}::bigint`
      : sql`(select max(update_id) from telegram_update where ${compared})`;
    await unit.execute(
      sql`update update_receiver set checked_update_id = ${end} where bot_id = ${botId}::bigint`,
    );
    return missing.length;
  });
}

/** The id from which on ids are compared; null where there is no update. */
async function findStart(
  unit: { query<Row>(statement: ReturnType<typeof sql>): Promise<Row[]> },
  botId: number,
  checked: number | null,
): Promise<number | null> {
  const ofBot = sql`bot_id = ${botId}::bigint`;
  if (checked !== null) {
    // Lower ids that came after a quiet time begin anew.
    const [anew] = await unit.query<{ start: number | null }>(sql`
      select min(update_id) as start from telegram_update
      where ${ofBot} and update_id < ${checked}::bigint and received_at > coalesce(
        (select max(received_at) from telegram_update where ${ofBot} and update_id >= ${checked}::bigint
          and update_id <= ${checked + LONGEST_JUMP}::bigint),
        '-infinity') + make_interval(days => ${QUIET_DAYS})`);
    if (anew?.start != null) return anew.start;
    const [next] = await unit.query<{ start: number | null }>(sql`
      select min(update_id) as start from telegram_update where ${ofBot} and update_id >= ${checked}::bigint`);
    return next?.start ?? null;
  }
  const [first] = await unit.query<{ start: number | null }>(
    sql`select min(update_id) as start from telegram_update where ${ofBot}`,
  );
  return first?.start ?? null;
}

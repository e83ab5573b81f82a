import sql, { type Sql } from "sql-template-tag";
import type { Database } from "../../database/database.js";
import { statement } from "../../database/statement.js";

/** All bots of which there are updates, each found by one look at the index. */
export const BOT_IDS = sql`
  with recursive bot as (
    select min(bot_id) as id from telegram_update
    union all select (select min(bot_id) from telegram_update where bot_id > bot.id) from bot where id is not null
  ) select id from bot where id is not null`;

/**
 * The end of a statement that writes persons beside the updates of the inbox which can no longer be found by the rows that
 * they led to, so that whoever erases the person finds them.
 * @param told rows of `update_id` and `person`
 */
export const nameInInbox = (told: Sql): Sql => sql`
  update telegram_update u set user_id = told.person from ${told} told
  where u.bot_id = any(array(${BOT_IDS})) and u.update_id = told.update_id`;

/** Deletes marks, which are needed only as long as a join that they end may still come. @param where of the alias `mark` */
export async function deleteMarks(database: Database, where: Sql): Promise<void> {
  // A mark is a row of the index on (channel_id, link_id, joined_at) without a link and a join.
  await database.query(statement("membership_marks_delete")`
    with marks as (
      delete from membership m using (
        select o.channel_id, o.id from channel c cross join lateral (
          select channel_id, id from membership mark
          where mark.channel_id = c.id and mark.link_id is null and mark.joined_at is null and mark.is_inferred_leave
            and ${where} offset 0
        ) o
      ) old
      where m.channel_id = old.channel_id and m.id = old.id
      returning leave_update_id as update_id, user_id as person
    )
    ${nameInInbox(sql`marks`)}`);
}

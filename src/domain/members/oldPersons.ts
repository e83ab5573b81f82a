import sql, { type Sql } from "sql-template-tag";
import type { Database } from "../../database/database.js";
import type { DirectTransaction } from "../../database/directTransaction.js";
import type { Instant } from "../../database/instant.js";
import { statement } from "../../database/statement.js";
import { deleteMarks, nameInInbox } from "./marks.js";
import { allPersons, replacePersonIds } from "./personIds.js";

/** Member events, or updates, that one transaction goes through. */
const PORTION = 2000;
const HOUR_MS = 3_600_000;

interface StoredUpdate {
  readonly botId: number;
  readonly updateId: number;
  readonly receivedAt: Instant;
  readonly body: unknown;
}

/** A place among the events of a channel. A merge of two channels of one chat gives an event another sequence. */
interface Place {
  readonly sequence: number;
  readonly eventId: string;
}

interface Portion {
  /** The last sequence of the portion; null where there is none. */
  readonly last: number | null;
  /** The last event before the first one that is young; null if the portion begins with that. */
  readonly lastOld: Place | null;
  /** How many of its events are old. */
  readonly oldCount: number;
  readonly forgotten: number;
}

/**
 * Makes the persons of old member events unknown: events, ended memberships and ended requests that are older than some days
 * get a negative number in place of the person's id, and so do the updates that are kept. Counts stay as they are.
 *
 * The member events of each channel are gone through in the order of their sequences, in portions, and the updates in the
 * order of their reception. Where the last run ended is known to this object alone: the first run of a process goes through
 * all that is old.
 */
export class OldPersons {
  readonly #database: Database;
  /** By channel id: all events up to this one have lost their persons. */
  readonly #passed = new Map<string, Place>();
  /** Updates that were received before this time have lost their persons. */
  #updatesPassed: Instant | null = null;
  /** When marks were last forgotten; milliseconds. */
  #marksForgottenAt = 0;

  constructor(database: Database) {
    this.#database = database;
  }

  /** @param days how long persons are kept. @returns how many member events lost their person */
  async forget(days: number, now = new Date()): Promise<number> {
    const before = new Date(now.getTime() - days * 86_400_000).toISOString();
    let count = 0;
    for (const { id, after } of await this.#findChannels(before))
      count += await this.#forgetEvents(id, after, before);
    if (Math.abs(now.getTime() - this.#marksForgottenAt) >= HOUR_MS) {
      await deleteMarks(this.#database, sql`mark.left_at < ${before}::timestamptz`);
      this.#marksForgottenAt = now.getTime();
    }
    await this.#forgetUpdates(sql`telegram_update`, before);
    await this.#forgetUpdates(sql`failed_update`, before);
    this.#updatesPassed = before;
    return count;
  }

  /** The channels with an old event among the next ones that were not passed, and the sequence up to which they were. */
  async #findChannels(before: Instant): Promise<{ readonly id: string; readonly after: number }[]> {
    const passed = [...this.#passed];
    return this.#database.query(statement("old_persons_find_channels")`
      select c.id, coalesce(e.sequence, 0) as after from channel c
      left join unnest(
        ${passed.map(([id]) => id)}::uuid[], ${passed.map(([, { sequence }]) => sequence)}::bigint[],
        ${passed.map(([, { eventId }]) => eventId)}::uuid[]
      ) as passed (id, sequence, event_id) on passed.id = c.id
      left join member_event e
        on e.channel_id = c.id and e.sequence = passed.sequence and e.id = passed.event_id
      where exists (
        select from (
          select occurred_at from member_event n where n.channel_id = c.id and n.sequence > coalesce(e.sequence, 0)
          order by n.sequence limit ${PORTION}
        ) next
        where occurred_at < ${before}::timestamptz
      ) order by c.id`);
  }

  async #forgetEvents(channelId: string, from: number, before: Instant): Promise<number> {
    let count = 0;
    let after = from;
    let isAllOld = true;
    for (;;) {
      const { last, lastOld, oldCount, forgotten } = await this.#forgetPortion(channelId, after, before);
      count += forgotten;
      if (isAllOld && lastOld !== null) this.#passed.set(channelId, lastOld);
      isAllOld &&= lastOld?.sequence === last;
      // Late updates make old events stand among young ones, but not behind a whole portion of them.
      if (last === null || oldCount === 0) return count;
      after = last;
    }
  }

  /** Goes hour by hour: the index has no order within an hour, so that all updates of it are read for each portion. */
  async #forgetUpdates(table: Sql, before: Instant): Promise<void> {
    const [first] = await this.#database.query<{ at: Instant | null }>(statement("old_persons_first_update")`
      select min(received_at) as at from ${table}
      where received_at >= ${this.#updatesPassed ?? "-infinity"}::timestamptz and received_at < ${before}::timestamptz`);
    if (!first?.at) return;
    const end = Date.parse(before);
    for (let from = Date.parse(first.at); from < end; from += HOUR_MS) {
      const to = new Date(Math.min(from + HOUR_MS, end)).toISOString();
      const hour = sql`received_at >= ${new Date(from).toISOString()}::timestamptz and received_at < ${to}::timestamptz`;
      let last: StoredUpdate | undefined;
      do {
        const after: Sql = last
          ? sql`(received_at, bot_id, update_id) > (${last.receivedAt}::timestamptz, ${last.botId}::bigint, ${last.updateId}::bigint)`
          : sql`true`;
        last = await this.#database.directTransaction((transaction) =>
          this.#forgetUpdatesAfter(transaction, table, sql`${hour} and ${after}`),
        );
      } while (last);
    }
  }

  /** @returns the last update of a portion; undefined where there is none */
  async #forgetUpdatesAfter(
    transaction: DirectTransaction,
    table: Sql,
    where: Sql,
  ): Promise<StoredUpdate | undefined> {
    const updates = await transaction.queryOnce<StoredUpdate>(statement("old_persons_lock_updates")`
      select bot_id as "botId", update_id as "updateId", received_at as "receivedAt", body from ${table}
      where ${where} order by received_at, bot_id, update_id limit ${PORTION} for update`);
    const ids = new Set<number>();
    const collecting = allPersons((id) => {
      ids.add(id);
      return id;
    });
    for (const { body } of updates) replacePersonIds(body, collecting);
    const numbers = await transaction.queryOnce<{ id: number; number: number }>(statement(
      "old_persons_numbers",
    )`
      select id, nextval('erased_person') as number from unnest(${[...ids]}::bigint[]) as person (id)`);
    const numberOf = new Map(numbers.map(({ id, number }) => [id, number]));
    const forgetting = allPersons((id) => numberOf.get(id) ?? id);
    const changed = updates.flatMap((update) => {
      const body = JSON.stringify(replacePersonIds(update.body, forgetting));
      return body === JSON.stringify(update.body) ? [] : [{ ...update, body }];
    });
    if (changed.length === 0) return updates.at(-1);
    await transaction.queryOnce(statement("old_persons_forget_updates")`
      update ${table} u set body = forgotten.body, user_id = null, actor_id = null
      from unnest(
        ${changed.map(({ botId }) => botId)}::bigint[], ${changed.map(({ updateId }) => updateId)}::bigint[],
        ${changed.map(({ receivedAt }) => receivedAt)}::timestamptz[], ${changed.map(({ body }) => body)}::json[]
      ) as forgotten (bot_id, update_id, received_at, body)
      where u.bot_id = forgotten.bot_id and u.update_id = forgotten.update_id
        and u.received_at = forgotten.received_at`);
    return updates.at(-1);
  }

  async #forgetPortion(channelId: string, after: number, before: string): Promise<Portion> {
    return this.#database.directTransaction(async (transaction) => {
      await transaction.query(statement("old_persons_lock_channel")`
        select from channel_activity where channel_id = ${channelId}::uuid for no key update`);
      const events = await transaction.query<{
        sequence: number;
        id: string;
        isOld: boolean;
        userId: number;
        actorId: number | null;
      }>(statement("old_persons_events")`
        select sequence, id, user_id as "userId", actor_id as "actorId", occurred_at < ${before}::timestamptz as "isOld"
        from member_event where channel_id = ${channelId}::uuid and sequence > ${after}::bigint
        order by sequence limit ${PORTION}`);
      const old = events.filter(({ isOld }) => isOld);
      const ids = new Set(
        old.flatMap(({ userId, actorId }) => [userId, actorId ?? 0]).filter((id) => id > 0),
      );
      const firstYoung = events.findIndex((event) => !event.isOld);
      const lastOld = firstYoung < 0 ? events.at(-1) : events[firstYoung - 1];
      const portion = {
        last: events.at(-1)?.sequence ?? null,
        lastOld: lastOld ? { sequence: lastOld.sequence, eventId: lastOld.id } : null,
        oldCount: old.length,
      };
      if (ids.size === 0) return { ...portion, forgotten: 0 };
      const numbers = sql`(
        select id, nextval('erased_person') as number from unnest(${[...ids]}::bigint[]) as person (id)
      )`;
      await transaction.query(statement("old_persons_forget")`
        with persons as materialized ${numbers},
          events as (
            update member_event e set
              user_id = coalesce((select number from persons where id = e.user_id), e.user_id),
              actor_id = coalesce((select number from persons where id = e.actor_id), e.actor_id)
            where channel_id = ${channelId}::uuid and sequence = any(${old.map(({ sequence }) => sequence)}::bigint[])
          ),
          requests as (
            update join_request r set user_id = (select number from persons where id = r.user_id), bio = null
            where channel_id = ${channelId}::uuid and user_id = any(${[...ids]}::bigint[])
              and state <> 'PENDING' and decided_at < ${before}::timestamptz
            returning update_id, (select id from persons where number = r.user_id) as person
          ),
          stays as (
            update membership m set user_id = (select number from persons where id = m.user_id)
            where channel_id = ${channelId}::uuid and user_id = any(${[...ids]}::bigint[])
              and left_at < ${before}::timestamptz
            returning array[join_update_id, leave_update_id] as update_ids,
              (select id from persons where number = m.user_id) as person
          ),
          told as (
            select update_id, person from requests
            union select unnest(update_ids), person from stays
          )
        ${nameInInbox(sql`told`)}`);
      return { ...portion, forgotten: old.filter(({ userId }) => userId > 0).length };
    });
  }
}

import sql from "sql-template-tag";
import type { Database } from "../../database/database.js";

/** Member events that one transaction goes through. */
const PORTION = 2000;

interface Portion {
  /** The last sequence of the portion; null where there is none. */
  readonly last: number | null;
  /** Whether the last of the events is old. */
  readonly isOld: boolean;
  readonly forgotten: number;
}

/**
 * Makes the persons of old member events unknown: events, ended memberships and ended requests that are older than some days
 * get a negative number in place of the person's id. Counts stay as they are.
 *
 * The member events of each channel are gone through in the order of their sequences, in portions. Where the last run
 * ended is known to this object alone: the first run of a process goes through all old events.
 */
export class OldPersons {
  readonly #database: Database;
  readonly #passed = new Map<string, number>();

  constructor(database: Database) {
    this.#database = database;
  }

  /** @param days how long persons are kept. @returns how many member events lost their person */
  async forget(days: number, now = new Date()): Promise<number> {
    const before = new Date(now.getTime() - days * 86_400_000).toISOString();
    const channels = await this.#database.query<{ id: string }>(sql`select id from channel order by id`);
    let count = 0;
    for (const { id } of channels) {
      for (;;) {
        const { last, isOld, forgotten } = await this.#forgetPortion(id, this.#passed.get(id) ?? 0, before);
        count += forgotten;
        if (last === null || !isOld) break;
        this.#passed.set(id, last);
      }
    }
    return count;
  }

  async #forgetPortion(channelId: string, after: number, before: string): Promise<Portion> {
    return this.#database.directTransaction(async (transaction) => {
      await transaction.query(
        sql`select from channel_activity where channel_id = ${channelId}::uuid for no key update`,
      );
      const events = await transaction.query<{
        sequence: number;
        isOld: boolean;
        userId: number;
        actorId: number | null;
      }>(sql`
        select sequence, user_id as "userId", actor_id as "actorId", occurred_at < ${before}::timestamptz as "isOld"
        from member_event where channel_id = ${channelId}::uuid and sequence > ${after}::bigint
        order by sequence limit ${PORTION}`);
      const old = events.filter(({ isOld }) => isOld);
      const ids = new Set(
        old.flatMap(({ userId, actorId }) => [userId, actorId ?? 0]).filter((id) => id > 0),
      );
      // A portion with a young event is gone through again, until all of its events are old.
      const isOld = events.length > 0 && old.length === events.length;
      const portion = { last: events.at(-1)?.sequence ?? null, isOld };
      if (ids.size === 0) return { ...portion, forgotten: 0 };
      const numbers = sql`(
        select id, nextval('erased_person') as number from unnest(${[...ids]}::bigint[]) as person (id)
      )`;
      await transaction.query(sql`
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
          )
        update membership m set user_id = (select number from persons where id = m.user_id)
        where channel_id = ${channelId}::uuid and user_id = any(${[...ids]}::bigint[])
          and left_at < ${before}::timestamptz`);
      return { ...portion, forgotten: old.filter(({ userId }) => userId > 0).length };
    });
  }
}

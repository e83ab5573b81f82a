import { randomUUID } from "node:crypto";
import type pg from "pg";
import sql, { raw, type Sql } from "sql-template-tag";
import type { DatabasePool } from "./pools.js";
import { DatabaseUnusableError } from "./refusals.js";
import { statement } from "./statement.js";
import { isSessionLimit } from "./waitingPool.js";

/**
 * Shows which server processes are alive, so that unfinished work of a dead process can be distinguished from the work of
 * another replica. A process holds an advisory lock while it lives. PostgreSQL releases the lock when the connection ends
 * for any reason.
 */
export interface Presence {
  /** The id of this process. */
  readonly id: string;
  /**
   * Whether a process that shows no presence is dead. A failure of the database ends the sessions of all servers, so that
   * others count as alive until they had the time to return.
   */
  readonly judges: boolean;
  isAlive(id: string): Promise<boolean>;
  /** Calls `onNotified` when any server may have notified the others. On the embedded database there is no other server. */
  onNotified(onNotified: (channel: NotificationChannel) => void): void;
  leave(): Promise<void>;
}

/** The channel of PostgreSQL on which a server notifies the others that it has stored member events. */
export const MEMBER_EVENTS = "member_events";
/** The channel on which a server that stops notifies the others that it has given work back. */
export const WORK_RELEASED = "work_released";
export type NotificationChannel = typeof MEMBER_EVENTS | typeof WORK_RELEASED;

/** Whether the process with this id is alive, as an SQL condition. On the embedded database every other process is dead. */
export const isPresent = (id: Sql): Sql => sql`exists (
  select from pg_locks
  where locktype = 'advisory' and granted and objsubid = 1
    and database = (select oid from pg_database where datname = current_database())
    and (classid::bigint << 32) | objid::bigint = hashtextextended(${id}, 0)
)`;

const RECONNECT_AFTER_MS = 1000;
/** How often the session is checked: a server that is no longer the primary, or has frozen, may keep it open; milliseconds. */
const CHECK_EVERY_MS = 5000;
/**
 * A failure of the database ends the sessions of all servers. For so long after this server has returned, every other one
 * counts as alive, so that those that live can return; milliseconds.
 */
const OTHERS_RETURN_MS = 5000;

const NO_SESSION =
  "DATABASE_URL: the database has no further connection for the session that shows this server's presence. Raise the limit of the role, the database or the pooler: a server needs at least two connections";

/** Only one process at a time can use the embedded database, so every other process is dead. */
function aloneInDatabase(id: string): Presence {
  return {
    id,
    judges: true,
    isAlive: async (other) => other === id,
    onNotified: () => {},
    leave: async () => {},
  };
}

/**
 * Holds the lock on a dedicated session beside the pool, and reopens the session after it was lost.
 * @throws DatabaseUnusableError when no session can be opened for it.
 */
export async function announcePresence(
  database: DatabasePool,
  onError: (error: Error) => void,
): Promise<Presence> {
  const { dedicatedSession, closeOneSession } = database;
  const id = randomUUID();
  if (dedicatedSession === null) return aloneInDatabase(id);
  let client: pg.Client | undefined;
  let left = false;
  let onNotified: (channel: NotificationChannel) => void = () => {};
  let retry: NodeJS.Timeout | undefined;
  /** From when on a server without a lock counts as dead, by performance.now(). */
  let judgesFrom = 0;
  const judges = () => performance.now() >= judgesFrom;

  /** Ends the session when it does not answer or leads to a standby, where nobody looks for the lock. */
  const watch = (session: pg.Client): void => {
    const check = async () => {
      try {
        const { rows } = await session.query(
          statement("presence_check")`select pg_is_in_recovery() as standby`.text,
        );
        if (rows[0]?.standby === false) return;
      } catch (error) {
        onError(error as Error);
      }
      session.connection.stream.destroy();
    };
    const timer = setInterval(() => void check(), CHECK_EVERY_MS).unref();
    session.on("end", () => clearInterval(timer));
  };

  const join = async (): Promise<void> => {
    const joining = dedicatedSession("invite-links presence");
    client = joining;
    joining.on("error", onError);
    joining.on("notification", ({ channel }) => onNotified(channel as NotificationChannel));
    // The event also follows a connection that could not be opened.
    joining.on("end", () => {
      if (left) return;
      judgesFrom = Number.POSITIVE_INFINITY;
      retry = setTimeout(() => {
        join().catch(async (error: Error) => {
          onError(error);
          // The pool has taken the connection meanwhile and can work with one session less.
          if (isSessionLimit(error)) await closeOneSession().catch(onError);
        });
      }, RECONNECT_AFTER_MS);
      retry.unref();
    });
    try {
      await joining.connect();
      if (left) return await joining.end();
      const { text, values } = statement(
        "presence_lock",
      )`select pg_advisory_lock(hashtextextended(${id}, 0))`;
      await joining.query(text, values);
      for (const channel of [MEMBER_EVENTS, WORK_RELEASED])
        await joining.query(statement("presence_listen")`listen ${raw(channel)}`.text);
    } catch (error) {
      // A session without the lock must end, so that another one is opened.
      joining.connection.stream.destroy();
      throw error;
    }
    if (judgesFrom > 0) judgesFrom = performance.now() + OTHERS_RETURN_MS;
    watch(joining);
    // Events that were stored while the session was away were not notified.
    onNotified(MEMBER_EVENTS);
  };

  await join().catch((error: unknown) => {
    left = true;
    clearTimeout(retry);
    throw isSessionLimit(error) ? new DatabaseUnusableError(NO_SESSION) : error;
  });
  return {
    id,
    get judges() {
      return judges();
    },
    async isAlive(other) {
      if (other === id || !judges()) return true;
      // The loss of the own lock may not have been noticed yet.
      const { text, values } = statement("presence_is_alive")`
        select ${isPresent(sql`${other}`)} or not ${isPresent(sql`${id}`)} as alive`;
      const { rows } = await database.pool.query<{ alive: boolean }>(text, values);
      return rows[0]?.alive === true;
    },
    onNotified(listener) {
      onNotified = listener;
    },
    async leave() {
      left = true;
      clearTimeout(retry);
      await client?.end();
    },
  };
}

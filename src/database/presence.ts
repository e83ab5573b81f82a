import { randomUUID } from "node:crypto";
import type pg from "pg";
import type { DatabasePool } from "./pools.js";
import { DatabaseUnusableError } from "./refusals.js";
import { isSessionLimit } from "./waitingPool.js";

/**
 * Which runs of the server are alive: so that what a run left half done when it died is told from what another
 * replica is doing just now. A run holds an advisory lock for as long as it lives; PostgreSQL gives it back when the
 * connection ends, however it ends.
 */
export interface Presence {
  /** This run's id. */
  readonly id: string;
  isAlive(id: string): Promise<boolean>;
  leave(): Promise<void>;
}

const RECONNECT_AFTER_MS = 1000;

const NO_SESSION =
  "DATABASE_URL: found a database that has no further connection for the session that shows this server's presence, not one that allows at least two; raise the limit of the role, the database or the pooler";

/** The embedded database has one process at a time: whoever else is named in it is gone. */
function aloneInDatabase(id: string): Presence {
  return { id, isAlive: async (other) => other === id, leave: async () => {} };
}

/**
 * Keeps a connection of its own, beside the pool, that holds the lock; comes back after it was lost.
 * @throws DatabaseUnusableError where the database has no session for it.
 */
export async function announcePresence(
  { pool, dedicatedSession, closeOneSession }: DatabasePool,
  onError: (error: Error) => void,
): Promise<Presence> {
  const id = randomUUID();
  if (dedicatedSession === null) return aloneInDatabase(id);
  let client: pg.Client | undefined;
  let left = false;
  let retry: NodeJS.Timeout | undefined;

  const join = async (): Promise<void> => {
    const joining = dedicatedSession("invite-links presence");
    client = joining;
    joining.on("error", onError);
    // Comes for a connection that could not be made as well as for one that was lost.
    joining.on("end", () => {
      if (left) return;
      retry = setTimeout(() => {
        join().catch(async (error: Error) => {
          onError(error);
          // The pool took the connection meanwhile: it can do with one less.
          if (isSessionLimit(error)) await closeOneSession().catch(onError);
        });
      }, RECONNECT_AFTER_MS);
      retry.unref();
    });
    await joining.connect();
    if (left) return joining.end();
    await joining.query("select pg_advisory_lock(hashtextextended($1, 0))", [id]);
  };

  await join().catch((error: unknown) => {
    left = true;
    clearTimeout(retry);
    throw isSessionLimit(error) ? new DatabaseUnusableError(NO_SESSION) : error;
  });
  return {
    id,
    async isAlive(other) {
      if (other === id) return true;
      const { rows } = await pool.query<{ alive: boolean }>(
        `select exists (
           select from pg_locks
           where locktype = 'advisory' and granted and objsubid = 1
             and database = (select oid from pg_database where datname = current_database())
             and (classid::bigint << 32) | objid::bigint = hashtextextended($1, 0)
         ) as alive`,
        [other],
      );
      return rows[0]?.alive === true;
    },
    async leave() {
      left = true;
      clearTimeout(retry);
      await client?.end();
    },
  };
}

import { setTimeout as delay } from "node:timers/promises";
import { DedicatedSession, NoAnswerError } from "./dedicatedSession.js";
import { failureOf } from "./failures.js";
import type { DatabasePool } from "./pools.js";
import { statement } from "./statement.js";

/** Finds out whether the database can be used, independently of requests. */
export interface ReadinessProbe {
  /** @throws if the database does not answer within 2 s. */
  read(): Promise<void>;
  /** Writes a row and rolls it back. @throws if this fails or takes more than 2 s. */
  write(): Promise<void>;
  close(): void;
}

/** Milliseconds; allows /readyz to answer within 3 s. */
const TIME_LIMIT_MS = 2000;

const READ = statement("readiness_read")`select 1`.text;

/**
 * Writes a row and rolls it back by an error, in one statement, which works behind any pooler. TRUNCATE gives the table
 * new files, so that the row needs new disk space and not the space of a dead row. While another session uses the table
 * (another server's probe, a backup), or if the role may not truncate it, only the row is written: no session waits.
 */
const WRITE = statement("readiness_write")`do $$
begin
  begin
    lock table write_probe in access exclusive mode nowait;
    truncate write_probe;
  exception when lock_not_available or insufficient_privilege then
    null;
  end;
  insert into write_probe default values;
  raise exception using errcode = 'IL001';
exception when sqlstate 'IL001' then
  null;
end $$`.text;

/** The error of a probe without an answer. */
const noAnswer = (): NoAnswerError =>
  new NoAnswerError(`the database did not answer a probe within ${TIME_LIMIT_MS} ms`);

/** Calls `abandon` when `work` takes too long. @throws NoAnswerError */
async function withinLimit<T>(work: Promise<T>, abandon: () => void): Promise<T> {
  const ended = new AbortController();
  const limit = delay(TIME_LIMIT_MS, undefined, { signal: ended.signal, ref: false }).then(() => {
    throw noAnswer();
  });
  try {
    return await Promise.race([work, limit]);
  } catch (error) {
    if (error instanceof NoAnswerError) abandon();
    throw error;
  } finally {
    ended.abort();
    for (const rest of [work, limit]) rest.catch(() => {});
  }
}

/** Uses a session beside the pool, so that the probe does not wait for requests. */
function onServer(
  pool: DatabasePool["pool"],
  dedicatedSession: NonNullable<DatabasePool["dedicatedSession"]>,
): ReadinessProbe {
  const session = new DedicatedSession(() => dedicatedSession("invite-links readiness"));
  const ask = async (text: string): Promise<void> => {
    try {
      await session.query(text);
    } catch (error) {
      // The role has no session left, so a session of the pool is used.
      if (failureOf(error).kind !== "busy") throw error;
      await pool.query(text);
    }
  };
  // The time limit includes opening a session and waiting for one.
  const askInTime = (text: string) => withinLimit(ask(text), () => session.abandon());
  return {
    read: () => askInTime(READ),
    write: () => askInTime(WRITE),
    close: () => session.close(),
  };
}

/**
 * The embedded database is in this process and answers as long as the process does. A write waits in the pool for the
 * only session, without a time limit.
 */
const inProcess = ({ pool }: DatabasePool): ReadinessProbe => ({
  async read() {},
  async write() {
    await pool.query(WRITE);
  },
  close() {},
});

export const readinessProbe = (pool: DatabasePool): ReadinessProbe =>
  pool.dedicatedSession === null ? inProcess(pool) : onServer(pool.pool, pool.dedicatedSession);

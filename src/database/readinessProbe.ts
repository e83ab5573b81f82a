import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import { failureOf } from "./failures.js";
import type { DatabasePool } from "./pools.js";

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

/**
 * Writes a row and rolls it back by an error, in one statement, which works behind any pooler. TRUNCATE gives the table
 * new files, so that the row needs new disk space and not the space of a dead row. While another session uses the table
 * (another server's probe, a backup), or if the role may not truncate it, only the row is written: no session waits.
 */
const WRITE = `do $$
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
end $$`;

class NoAnswerError extends Error {
  override readonly name = "NoAnswerError";
  readonly code = "ETIMEDOUT";

  constructor() {
    super(`the database did not answer a probe within ${TIME_LIMIT_MS} ms`);
  }
}

/** Calls `abandon` when `work` takes too long. @throws NoAnswerError */
async function withinLimit<T>(work: Promise<T>, abandon: () => void): Promise<T> {
  const ended = new AbortController();
  const limit = delay(TIME_LIMIT_MS, undefined, { signal: ended.signal, ref: false }).then(() => {
    throw new NoAnswerError();
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

interface OpenedSession {
  readonly client: Promise<pg.Client>;
  /** Ends the session without waiting for the server. */
  readonly destroy: () => void;
  /** Whether a statement got no answer in time. All other statements on the session then fail in the same way. */
  hadNoAnswer: boolean;
}

/** One session that is opened on demand and reopened after a failure. */
class DedicatedSession {
  readonly #make: () => pg.Client;
  #session: OpenedSession | undefined;

  /** @param make gives a client that is not connected yet. */
  constructor(make: () => pg.Client) {
    this.#make = make;
  }

  async query(statement: string): Promise<void> {
    const isNew = this.#session === undefined;
    this.#session ??= this.#open();
    const session = this.#session;
    try {
      await (await session.client).query(statement);
    } catch (error) {
      if (session.hadNoAnswer) throw new NoAnswerError();
      const { kind } = failureOf(error);
      // After any other failure the session can still be used.
      if (kind === "unreachable" || kind === "busy" || kind === "timeout") this.#close(session);
      // The loss of an idle session says nothing about the server now; an administrator may have ended it.
      if (!isNew && kind === "unreachable") return this.query(statement);
      throw error;
    }
  }

  /** Must be called when the server does not answer in time. */
  abandon(): void {
    if (this.#session) this.#session.hadNoAnswer = true;
    this.close();
  }

  close(): void {
    if (this.#session) this.#close(this.#session);
  }

  #close(session: OpenedSession): void {
    session.destroy();
    // A concurrent statement may have opened another session already.
    if (this.#session === session) this.#session = undefined;
  }

  #open(): OpenedSession {
    const client = this.#make();
    return {
      client: client.connect().then(() => client),
      destroy: () => client.connection.stream.destroy(),
      hadNoAnswer: false,
    };
  }
}

/** Uses a session beside the pool, so that the probe does not wait for requests. */
function onServer(
  pool: DatabasePool["pool"],
  dedicatedSession: NonNullable<DatabasePool["dedicatedSession"]>,
): ReadinessProbe {
  const session = new DedicatedSession(() => dedicatedSession("invite-links readiness"));
  const ask = async (statement: string): Promise<void> => {
    try {
      await session.query(statement);
    } catch (error) {
      // The role has no session left, so a session of the pool is used.
      if (failureOf(error).kind !== "busy") throw error;
      await pool.query(statement);
    }
  };
  // The time limit includes opening a session and waiting for one.
  const askInTime = (statement: string) => withinLimit(ask(statement), () => session.abandon());
  return {
    read: () => askInTime("select 1"),
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

import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import { failureOf } from "./failures.js";
import type { DatabasePool } from "./pools.js";

/** Finds out whether the database can be used, beside the requests that use it. */
export interface ReadinessProbe {
  /** @throws where the database does not answer within the time limit, which is 2 s. */
  read(): Promise<void>;
  /** Writes and takes it back. @throws where that fails, or does not end within the time limit. */
  write(): Promise<void>;
  close(): void;
}

/** In milliseconds: so that /readyz can answer within 3 s. */
const TIME_LIMIT_MS = 2000;

/**
 * Writes a row and takes it back by an error of its own, in one statement, which takes no snapshot's room and works
 * behind any pooler. An emptied table gets new files, so that the row needs new space on the disk rather than a dead
 * row's. Where somebody else has the table (another server's probe, a backup), or the role may not empty it, the row
 * alone is written: nobody waits for anybody.
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

/** @throws NoAnswerError, having called `abandon`, where `work` takes too long. */
async function withinLimit<T>(work: Promise<T>, abandon: () => void): Promise<T> {
  const over = new AbortController();
  const limit = delay(TIME_LIMIT_MS, undefined, { signal: over.signal, ref: false }).then(() => {
    throw new NoAnswerError();
  });
  try {
    return await Promise.race([work, limit]);
  } catch (error) {
    if (error instanceof NoAnswerError) abandon();
    throw error;
  } finally {
    over.abort();
    for (const rest of [work, limit]) rest.catch(() => {});
  }
}

interface OpenedSession {
  readonly client: Promise<pg.Client>;
  /** Ends it without waiting for a server that may never answer. */
  readonly destroy: () => void;
  /** Whether the server did not answer on it in time, for which whoever else waits on it is told the same. */
  hadNoAnswer: boolean;
}

/** One session that is opened when it is needed, and opened anew after it failed. */
class DedicatedSession {
  readonly #make: () => pg.Client;
  #session: OpenedSession | undefined;

  /** @param make makes a client that is not connected yet. */
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
      // After any other failure the session is as good as before.
      if (kind === "unreachable" || kind === "busy" || kind === "timeout") this.#close(session);
      // A session that was lost since it was last used, as by an administrator's hand, says nothing of the server.
      if (!isNew && kind === "unreachable") return this.query(statement);
      throw error;
    }
  }

  /** To be called where the server does not answer in time. */
  giveUp(): void {
    if (this.#session) this.#session.hadNoAnswer = true;
    this.close();
  }

  close(): void {
    if (this.#session) this.#close(this.#session);
  }

  #close(session: OpenedSession): void {
    session.destroy();
    // Somebody else who waited on it may have opened another one.
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

/** A session beside the pool, so that no request keeps readiness waiting. */
function onServer(
  pool: DatabasePool["pool"],
  dedicatedSession: NonNullable<DatabasePool["dedicatedSession"]>,
): ReadinessProbe {
  const session = new DedicatedSession(() => dedicatedSession("invite-links readiness"));
  const ask = async (statement: string): Promise<void> => {
    try {
      await session.query(statement);
    } catch (error) {
      // The role has no session to spare: one of the pool is as good, and waited for.
      if (failureOf(error).kind !== "busy") throw error;
      await pool.query(statement);
    }
  };
  // The limit is for all of it: a session that is opened anew, or waited for, has no more time.
  const askInTime = (statement: string) => withinLimit(ask(statement), () => session.giveUp());
  return {
    read: () => askInTime("select 1"),
    write: () => askInTime(WRITE),
    close: () => session.close(),
  };
}

/**
 * The embedded database is in this process and answers as long as that does. Its one session is the pool's; what is
 * written waits for its turn there, without a time limit of its own.
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

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

/** One session that is opened when it is needed, and opened anew after it failed. */
class OwnSession {
  readonly #make: () => pg.Client;
  #client: Promise<pg.Client> | undefined;
  #abandon: () => void = () => {};

  /** @param make makes a client that is not connected yet. */
  constructor(make: () => pg.Client) {
    this.#make = make;
  }

  async query(statement: string): Promise<void> {
    const isNew = this.#client === undefined;
    this.#client ??= this.#open();
    const asked = this.#client.then((client) => client.query(statement));
    try {
      await withinLimit(asked, () => this.close());
    } catch (error) {
      const { kind } = failureOf(error);
      // After any other failure the session is as good as before.
      if (kind === "away" || kind === "busy" || kind === "timeLimit") this.close();
      // A session that was lost since it was last used, as by an administrator's hand, says nothing of the server.
      if (!isNew && kind === "away" && !(error instanceof NoAnswerError)) return this.query(statement);
      throw error;
    }
  }

  /** Without waiting for a server that may never answer. */
  close(): void {
    this.#abandon();
    this.#abandon = () => {};
    this.#client = undefined;
  }

  async #open(): Promise<pg.Client> {
    const client = this.#make();
    this.#abandon = () => client.connection.stream.destroy();
    // What is asked next fails, and the session is opened anew.
    client.on("error", () => {});
    await client.connect();
    return client;
  }
}

/** A session beside the pool, so that no request keeps readiness waiting. */
function onServer(
  pool: DatabasePool["pool"],
  ownSession: NonNullable<DatabasePool["ownSession"]>,
): ReadinessProbe {
  const session = new OwnSession(() => ownSession("invite-links readiness"));
  const ask = async (statement: string): Promise<void> => {
    try {
      await session.query(statement);
    } catch (error) {
      // The role has no session to spare: one of the pool is as good, and waited for.
      if (failureOf(error).kind !== "busy") throw error;
      await withinLimit(pool.query(statement), () => {});
    }
  };
  return { read: () => ask("select 1"), write: () => ask(WRITE), close: () => session.close() };
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
  pool.ownSession === null ? inProcess(pool) : onServer(pool.pool, pool.ownSession);

import { setTimeout as delay, setImmediate } from "node:timers/promises";
import { DedicatedSession, NoAnswerError, turns } from "./dedicatedSession.js";
import { failureOf } from "./failures.js";
import type { DatabasePool, ServerPool } from "./pools.js";
import { type NamedStatement, statement } from "./statement.js";

/** Finds out whether the database can be used, independently of requests. */
export interface ReadinessProbe {
  /** Whether reads are answered although the primary is away; see failover.ts. */
  readonly isReadOnly?: boolean;
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
  const limit = delay(TIME_LIMIT_MS, undefined, { signal: ended.signal, ref: false }).then(async () => {
    // After this process itself was busy, an answer that has arrived is read first.
    await setImmediate();
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

export interface ServerProbe extends ReadinessProbe {
  /**
   * @param fallsBack whether a session of the pool is used if the role has no session left
   * @throws if the database does not answer within 2 s
   */
  ask<Row>(statement: NamedStatement, fallsBack?: boolean): Promise<Row[]>;
}

/** Uses a session beside the pool, so that the probe does not wait for requests. */
export function serverProbe(
  { pool, dedicatedSession }: Pick<ServerPool, "pool" | "dedicatedSession">,
  applicationName: string,
): ServerProbe {
  const session = new DedicatedSession(() => dedicatedSession(applicationName));
  const inTurn = turns();
  /** Counts the times that the session got no answer. All statements that waited for it then fail in the same way. */
  let silences = 0;
  const ask = async (text: string, values: unknown[], fallsBack: boolean): Promise<unknown[]> => {
    const before = silences;
    try {
      return await inTurn(async () => {
        if (silences !== before) throw noAnswer();
        return session.query({ text, values });
      });
    } catch (error) {
      if (!fallsBack || failureOf(error).kind !== "busy") throw error;
      return (await pool.query(text, values)).rows;
    }
  };
  // The time limit includes opening a session and waiting for one.
  const askInTime = (text: string, values: unknown[] = [], fallsBack = true) =>
    withinLimit(ask(text, values, fallsBack), () => {
      silences += 1;
      session.abandon();
    });
  return {
    ask: async <Row>({ text, values }: NamedStatement, fallsBack = true) =>
      (await askInTime(text, values, fallsBack)) as Row[],
    read: async () => void (await askInTime(READ)),
    write: async () => void (await askInTime(WRITE)),
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

export function readinessProbe(database: DatabasePool): ReadinessProbe {
  const { pool, dedicatedSession } = database;
  return dedicatedSession === null
    ? inProcess(database)
    : serverProbe({ pool, dedicatedSession }, "invite-links readiness");
}

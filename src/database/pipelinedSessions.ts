// What: Frequent statements share a few sessions and are sent there without waiting for earlier answers. Plain twin:
//   poolOnly.ts.
// Measured: W3 0.24 (0.06) instead of 0.36 (0.13) CPU ms of Node.js (and PostgreSQL) per request, 1.66 times (200,000 links,
//   2026-11-26, `npm run bench -- --only fast-paths`); docs/decisions/0006-pipelined-sessions.md.
// To remove: delete this file, its test, POOL_EXHAUSTED in waitingPool.ts and `pipelinedSessions` in fastPaths.ts; let
//   pools.ts always take openPoolOnly.

import pg from "pg";
import type { FrequentStatementRunner, RequestSessions, SessionOptions } from "./poolOnly.js";
import { SessionClient, type SessionConfig } from "./session.js";
import { POOL_EXHAUSTED } from "./waitingPool.js";

/** The pause after a session could not be opened, in milliseconds. */
const REOPEN_AFTER_MS = 5000;

/** A session counts as stalled when one statement has run for longer, in milliseconds. */
const STALLED_AFTER_MS = 25;

/** Runs an unanswered statement on the pool as well, at most once. The first answer counts. */
type RunOnPool = () => void;

interface Session {
  readonly client: pg.Client;
  /** The statements that were sent and are not answered, in the order of their answers. */
  readonly unanswered: RunOnPool[];
  /** When the first unanswered statement became the first, by performance.now(). */
  since: number;
  isGathering: boolean;
  stallTimer: NodeJS.Timeout | undefined;
}

/** Whether an error says that the session is broken, rather than that the statement is wrong. */
function isSessionError(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return error.code?.startsWith("57P") === true;
  return !(error as Error).message.startsWith("Query read timeout");
}

const isStalled = ({ unanswered, since }: Session): boolean =>
  unanswered.length > 0 && performance.now() - since > STALLED_AFTER_MS;

/**
 * Sends statements on a few sessions without waiting for earlier answers. PostgreSQL goes on from one statement to the next,
 * whereas a session of a pool sleeps between two statements and must be woken.
 *
 * All statements must only read, because a statement behind a stalled one runs on the pool as well.
 */
class PipelinedSessions implements FrequentStatementRunner {
  readonly #pool: pg.Pool;
  readonly #config: SessionConfig;
  readonly #max: number;
  readonly #onError: (error: Error) => void;
  /** The sessions whose settings are confirmed. */
  #sessions: Session[] = [];
  readonly #opening = new Set<pg.Client>();
  /** By performance.now(). */
  #reopenAt = 0;
  #ended = false;

  /**
   * @param pool runs a statement if no session is open, or if the statement's session is broken or stalled.
   * @param max the largest number of sessions. With two, one goes on while the other is stalled. With more, PostgreSQL would
   *   wake a process for each statement.
   */
  constructor(pool: pg.Pool, config: SessionConfig, max: number, onError: (error: Error) => void) {
    this.#pool = pool;
    this.#config = { ...config, pipeline: true };
    this.#max = max;
    this.#onError = onError;
    // The pool needs the connection more: it can run every statement.
    (pool as NodeJS.EventEmitter).on(POOL_EXHAUSTED, () => {
      this.#reopenAt = performance.now() + REOPEN_AFTER_MS;
      const [session] = this.#sessions;
      if (session) this.#drop(session);
    });
  }

  query(
    statement: pg.QueryConfig,
    onPool: () => Promise<pg.QueryResult> = () => this.#pool.query(statement),
  ): Promise<pg.QueryResult> {
    const session = this.#leastBusy();
    if (!session) return onPool();
    return new Promise((resolve, reject) => {
      let attempts = 1;
      let isOnPool = false;
      // A lost session is no error of the statement while the statement's other attempt runs.
      const fail = (error: unknown): void => {
        attempts -= 1;
        if (attempts === 0 || !isSessionError(error)) reject(error);
      };
      const runOnPool = (): void => {
        if (isOnPool) return;
        isOnPool = true;
        attempts += 1;
        onPool().then(resolve, fail);
      };
      this.#begin(session, runOnPool);
      this.#gather(session);
      session.client.query(statement).then(
        (result) => {
          this.#end(session, runOnPool);
          resolve(result);
        },
        (error: unknown) => {
          this.#end(session, runOnPool);
          if (isSessionError(error)) {
            this.#drop(session);
            runOnPool();
          }
          fail(error);
        },
      );
    });
  }

  async end(): Promise<void> {
    this.#ended = true;
    const clients = [...this.#sessions.splice(0).map(({ client }) => client), ...this.#opening];
    await Promise.all(clients.map((client) => client.end()));
  }

  /** Ends all sessions without waiting for the server. */
  destroy(): void {
    const clients = [...this.#sessions.splice(0).map(({ client }) => client), ...this.#opening];
    for (const client of clients) client.connection.stream.destroy();
  }

  /** The session with the fewest unanswered statements; undefined if none is open or all are stalled. */
  #leastBusy(): Session | undefined {
    const isComplete = this.#sessions.length + this.#opening.size >= this.#max;
    if (!isComplete && performance.now() >= this.#reopenAt && this.#pool.idleCount > 0) this.#open();
    let leastBusy: Session | undefined;
    for (const session of this.#sessions) {
      if (!isStalled(session) && session.unanswered.length < (leastBusy?.unanswered.length ?? Infinity))
        leastBusy = session;
    }
    return leastBusy;
  }

  #begin(session: Session, runOnPool: RunOnPool): void {
    if (session.unanswered.push(runOnPool) === 1) session.since = performance.now();
    this.#watch(session);
  }

  /** Sends all statements of one turn of the event loop in one system call, since each system call wakes PostgreSQL. */
  #gather(session: Session): void {
    if (session.isGathering) return;
    session.isGathering = true;
    const { stream } = session.client.connection;
    stream.cork();
    setImmediate(() => {
      session.isGathering = false;
      stream.uncork();
    });
  }

  #end(session: Session, runOnPool: RunOnPool): void {
    session.unanswered.splice(session.unanswered.indexOf(runOnPool), 1);
    session.since = performance.now();
  }

  /** Runs the statements behind a stalled one on the pool as well. */
  #watch(session: Session): void {
    const look = (): void => {
      session.stallTimer = undefined;
      if (session.unanswered.length === 0) return;
      if (isStalled(session)) for (const runOnPool of session.unanswered.slice(1)) runOnPool();
      this.#watch(session);
    };
    // After this process itself was busy, setImmediate lets the answers that have arrived be read first.
    session.stallTimer ??= setTimeout(() => setImmediate(look), STALLED_AFTER_MS).unref();
  }

  /** Opens a session in the background. It is used once its settings are confirmed. */
  #open(): void {
    const client = new SessionClient(this.#config);
    const session: Session = {
      client,
      unanswered: [],
      since: 0,
      isGathering: false,
      stallTimer: undefined,
    };
    client.on("error", (error) => {
      if (this.#opening.has(client)) return;
      this.#drop(session);
      this.#onError(error);
    });
    this.#opening.add(client);
    client.connect().then(
      () => {
        this.#opening.delete(client);
        if (!this.#ended) this.#sessions.push(session);
      },
      () => {
        this.#opening.delete(client);
        this.#reopenAt = performance.now() + REOPEN_AFTER_MS;
      },
    );
  }

  #drop(session: Session): void {
    if (!this.#sessions.includes(session)) return;
    this.#sessions = this.#sessions.filter((one) => one !== session);
    session.client.end().catch(() => {});
  }
}

/** The number of pipelined sessions of each of the two kinds. The pool keeps at least half of all sessions. */
function sessionsOfEachKind(sessions: number): number {
  if (sessions < 4) return 0;
  return sessions < 8 ? 1 : 2;
}

/** Takes some of the sessions from the pool for frequent statements. */
export function openPipelinedSessions({
  sessions,
  openPool,
  configFor,
  onError,
}: SessionOptions): RequestSessions {
  const ofEachKind = sessionsOfEachKind(sessions);
  const size = sessions - 2 * ofEachKind;
  const pool = openPool(size);
  const open = () => new PipelinedSessions(pool, configFor("invite-links pipeline"), ofEachKind, onError);
  // Two kinds, so that a statement that always reads little never waits for one that reads much.
  const [quick, frequent] = [open(), open()];
  return {
    pool,
    size,
    quick,
    frequent,
    suspend() {
      // First the pool, which would be asked for the statements of the other sessions.
      pool.suspend();
      for (const sessions of [quick, frequent]) sessions.destroy();
    },
    async close() {
      await Promise.all([quick.end(), frequent.end()]);
      await pool.end();
    },
  };
}

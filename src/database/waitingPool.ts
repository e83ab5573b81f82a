import pg from "pg";
import {
  isIdleTimeout,
  NoPoolerSessionError,
  SessionClient,
  type SessionConfig,
  setAnswerTimeout,
} from "./session.js";

export interface WaitingPoolConfig extends SessionConfig {
  readonly max: number;
  readonly idleTimeoutMillis?: number;
  /** How long a statement may take, including the wait for a session, in milliseconds; null for no limit. */
  readonly answerTimeoutMs: number | null;
}

/** How long a statement waits for a session, in milliseconds. */
export const SESSION_WAIT_MS = 10_000;
/** The pause between two tries while no session is open, in milliseconds. */
const RETRY_MS = 200;
/** After the server refused a session, the pool grows again by one session in this time; milliseconds. */
const GROW_AGAIN_MS = 5000;
/** The least time for a statement after its wait for a session, in milliseconds. */
const MIN_ANSWER_MS = 1000;

/** Poolers report their limit by a message, without a code of its own. */
const POOLER_LIMIT = /no more connections allowed|too many connections|query_wait_timeout/i;
const NOT_CONNECTED: readonly unknown[] = ["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT"];

/** Whether a working server or pooler has no free session. */
export const isSessionLimit = (error: unknown): boolean =>
  error instanceof NoPoolerSessionError ||
  (error instanceof Error &&
    ((error as { code?: unknown }).code === "53300" || POOLER_LIMIT.test(error.message)));

type Connected = (
  error: Error | undefined,
  client: pg.PoolClient | undefined,
  release: (error?: Error | boolean) => void,
) => void;

/** Event: the pool has no session and can open none. Sessions beside the pool should be closed. */
export const POOL_EXHAUSTED = "starved";

const nothing = (): void => {};

/** A pool that was suspended opens no session and gives none. */
class SuspendedPoolError extends Error {
  override readonly name = "SuspendedPoolError";
  /** PostgreSQL's code of a connection failure. */
  readonly code = "08006";

  constructor() {
    super("The database was given up until it is back.");
  }
}

/**
 * A pool in which a statement waits for an open session if no new session can be opened. A limit on connections then makes
 * the server slower instead of making requests fail. After the server refused a session, the pool keeps its present size
 * and later grows again.
 */
export class WaitingPool extends pg.Pool {
  readonly #max: number;
  readonly #answerTimeoutMs: number | null;
  readonly #clients = new Set<pg.PoolClient>();
  /** Ends the waits for a session. */
  readonly #waits = new Set<(error: Error) => void>();
  #isSuspended = false;
  #growing: NodeJS.Timeout | undefined;

  constructor(config: WaitingPoolConfig) {
    super({
      ...config,
      connectionTimeoutMillis: SESSION_WAIT_MS,
      Client: SessionClient as unknown as new () => pg.ClientBase,
    });
    this.#max = config.max;
    this.#answerTimeoutMs = config.answerTimeoutMs;
    this.on("connect", (client) => this.#clients.add(client));
    this.on("remove", (client) => this.#clients.delete(client));
  }

  get #open(): number {
    return this.#clients.size;
  }

  override connect(): Promise<pg.PoolClient>;
  override connect(callback: Connected): void;
  override connect(callback?: Connected): Promise<pg.PoolClient> | undefined {
    const since = performance.now();
    if (callback !== undefined) {
      this.#connect(since, callback);
      return undefined;
    }
    return new Promise((resolve, reject) => {
      this.#connect(since, (error, client) => {
        if (client) resolve(client);
        else reject(error);
      });
    });
  }

  /** Closes one idle session, so that the connection can be used for another purpose. */
  async closeOneSession(): Promise<void> {
    if (this.#open < 2) return;
    const client = await this.connect();
    this.#limitTo(this.#open - 1);
    client.release(true);
  }

  /**
   * Ends all sessions without waiting for the server. Until `resume` is called, every statement fails at once, those that run
   * or wait now as well.
   */
  suspend(): void {
    this.#isSuspended = true;
    for (const client of this.#clients) client.connection.stream.destroy();
    for (const fail of [...this.#waits]) fail(new SuspendedPoolError());
  }

  resume(): void {
    this.#isSuspended = false;
  }

  #connect(since: number, callback: Connected): void {
    if (this.#isSuspended) {
      callback(new SuspendedPoolError(), undefined, nothing);
      return;
    }
    const left = since + SESSION_WAIT_MS - performance.now();
    let failure: Error | null = null;
    const fail = (error: Error): void => {
      failure = error;
      clearTimeout(limit);
      this.#waits.delete(fail);
      callback(error, undefined, nothing);
    };
    // The time limit of pg.Pool starts again at each try.
    const limit = setTimeout(() => fail(new Error("timeout exceeded when trying to connect")), left);
    this.#waits.add(fail);
    super.connect((error: Error | undefined, client, release) => {
      if (failure !== null) {
        if (client) release(failure instanceof SuspendedPoolError);
        return;
      }
      clearTimeout(limit);
      this.#waits.delete(fail);
      if (client) {
        if (this.#answerTimeoutMs !== null) {
          const answerMs = this.#answerTimeoutMs - (performance.now() - since);
          setAnswerTimeout(client, Math.max(MIN_ANSWER_MS, Math.ceil(answerMs)));
        }
        callback(undefined, client, release);
        return;
      }
      this.#retry(error ?? new Error("There is no session."), since, callback);
    });
  }

  /** Tries again after a failed try if that can help and SESSION_WAIT_MS has not passed. */
  #retry(error: Error, since: number, callback: Connected): void {
    if (isIdleTimeout(error) && !this.ending && performance.now() < since + SESSION_WAIT_MS) {
      this.#connect(since, callback);
      return;
    }
    const isAtLimit =
      isSessionLimit(error) || (this.#open > 0 && NOT_CONNECTED.includes((error as { code?: unknown }).code));
    const pause = this.#open > 0 ? 0 : RETRY_MS;
    if (isAtLimit && this.#open === 0) this.emit(POOL_EXHAUSTED);
    if (!isAtLimit || this.ending || performance.now() + pause >= since + SESSION_WAIT_MS) {
      callback(error, undefined, nothing);
      return;
    }
    this.#limitTo(Math.max(1, this.#open));
    if (pause === 0) this.#connect(since, callback);
    else setTimeout(() => this.#connect(since, callback), pause);
  }

  #limitTo(sessions: number): void {
    this.options.max = sessions;
    clearTimeout(this.#growing);
    this.#growing = setTimeout(() => this.#grow(), GROW_AGAIN_MS).unref();
  }

  #grow(): void {
    const { max = this.#max } = this.options;
    if (max >= this.#max) return;
    this.options.max = max + 1;
    this.#growing = setTimeout(() => this.#grow(), GROW_AGAIN_MS).unref();
    // pg.Pool gives statements that wait already a session only when one is released.
    if (this.waitingCount > 0)
      this.#connect(performance.now(), (_error, client, release) => client && release());
  }
}

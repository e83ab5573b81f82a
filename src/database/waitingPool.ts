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
  /** How long a statement may take in all, the wait for a session included; null: without a limit. */
  readonly answerTimeoutMs: number | null;
}

/** How long to wait for a session that is open, or for one that can be opened again. */
export const SESSION_WAIT_MS = 10_000;
/** Between two tries where no session is open. */
const RETRY_MS = 200;
/** After a refusal the pool grows by one session in this time. */
const GROW_AGAIN_MS = 5000;
/** What a statement has at least, however long it waited for its session. */
const LEAST_ANSWER_MS = 1000;

/** Poolers have no code of their own for it. */
const POOLER_LIMIT = /no more connections allowed|too many connections|query_wait_timeout/i;
const NOT_CONNECTED: readonly unknown[] = ["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT"];

/** Whether a server or a pooler that works has no further session to give. */
export const isSessionLimit = (error: unknown): boolean =>
  error instanceof NoPoolerSessionError ||
  (error instanceof Error &&
    ((error as { code?: unknown }).code === "53300" || POOLER_LIMIT.test(error.message)));

type Connected = (
  error: Error | undefined,
  client: pg.PoolClient | undefined,
  release: (error?: Error | boolean) => void,
) => void;

/** Emitted where the pool has no session and gets none: sessions beside it are to be given up. */
export const POOL_EXHAUSTED = "starved";

const nothing = (): void => {};

/**
 * A pool in which whoever cannot get a new session waits for an open one: a limit on connections makes the server slow,
 * and refuses nobody. After a refusal the pool keeps to the sessions that it has and tries for another one later.
 */
export class WaitingPool extends pg.Pool {
  readonly #max: number;
  readonly #answerTimeoutMs: number | null;
  #open = 0;
  #growing: NodeJS.Timeout | undefined;

  constructor(config: WaitingPoolConfig) {
    super({
      ...config,
      connectionTimeoutMillis: SESSION_WAIT_MS,
      Client: SessionClient as unknown as new () => pg.ClientBase,
    });
    this.#max = config.max;
    this.#answerTimeoutMs = config.answerTimeoutMs;
    this.on("connect", () => {
      this.#open += 1;
    });
    this.on("remove", () => {
      this.#open -= 1;
    });
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

  /** Ends one session that nobody uses any more, for another use of the connection. */
  async closeOneSession(): Promise<void> {
    if (this.#open < 2) return;
    const client = await this.connect();
    this.#keepTo(this.#open - 1);
    client.release(true);
  }

  #connect(since: number, callback: Connected): void {
    const left = since + SESSION_WAIT_MS - performance.now();
    let isOver = false;
    // The pool's own limit begins anew at each try.
    const limit = setTimeout(() => {
      isOver = true;
      callback(new Error("timeout exceeded when trying to connect"), undefined, nothing);
    }, left);
    super.connect((error: Error | undefined, client, release) => {
      if (isOver) {
        if (client) release();
        return;
      }
      clearTimeout(limit);
      if (client) {
        if (this.#answerTimeoutMs !== null) {
          const answerMs = this.#answerTimeoutMs - (performance.now() - since);
          setAnswerTimeout(client, Math.max(LEAST_ANSWER_MS, Math.ceil(answerMs)));
        }
        callback(undefined, client, release);
        return;
      }
      this.#again(error ?? new Error("There is no session."), since, callback);
    });
  }

  /** Tries again after a try that failed, where that can help; the caller's time is up after SESSION_WAIT_MS. */
  #again(error: Error, since: number, callback: Connected): void {
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
    this.#keepTo(Math.max(1, this.#open));
    if (pause === 0) this.#connect(since, callback);
    else setTimeout(() => this.#connect(since, callback), pause);
  }

  #keepTo(sessions: number): void {
    this.options.max = sessions;
    clearTimeout(this.#growing);
    this.#growing = setTimeout(() => this.#grow(), GROW_AGAIN_MS).unref();
  }

  #grow(): void {
    const { max = this.#max } = this.options;
    if (max >= this.#max) return;
    this.options.max = max + 1;
    this.#growing = setTimeout(() => this.#grow(), GROW_AGAIN_MS).unref();
  }
}

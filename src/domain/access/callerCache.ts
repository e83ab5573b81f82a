import { setTimeout as delay } from "node:timers/promises";
import { LRUCache } from "lru-cache";
import type { Caller } from "../shared/caller.js";

/** How long a server goes by what it read of a token, in milliseconds, counted from before it asked. */
const REMEMBERED_MS = 500;
const MOST_CALLERS = 10_000;

interface Known {
  readonly caller: Caller;
  /** Of performance.now(). */
  readonly until: number;
}

export interface CallerCacheOptions {
  /** False: every request asks the database who is calling. */
  readonly remembers: boolean;
  /** Whether other servers, or the command line, can be at work on the same database. */
  readonly isShared: boolean;
}

/**
 * Whose tokens were read a moment ago, so that not every request asks for its caller again. What changes what tokens may
 * do (revoking one, a chat's new id) is over only when no server goes by what it read before: see `forget`.
 */
export class CallerCache {
  readonly #remembers: boolean;
  readonly #isShared: boolean;
  readonly #known = new LRUCache<string, Known>({ max: MOST_CALLERS });
  /** Counts what was forgotten: what was asked for before is not remembered after. */
  #forgotten = 0;

  constructor({ remembers, isShared }: CallerCacheOptions) {
    this.#remembers = remembers;
    this.#isShared = isShared;
  }

  /** The caller of a token by its secret's hash; undefined for one that must be read. */
  find(hash: string): Caller | undefined {
    const known = this.#known.get(hash);
    return known && performance.now() < known.until ? known.caller : undefined;
  }

  /** Reads a caller, and remembers it for a moment. */
  async reading(hash: string, read: () => Promise<Caller | null>): Promise<Caller | null> {
    const [asked, forgotten] = [performance.now(), this.#forgotten];
    const caller = await read();
    if (caller && this.#remembers && forgotten === this.#forgotten)
      this.#known.set(hash, { caller, until: asked + REMEMBERED_MS });
    return caller;
  }

  /** To be called once a change is stored, before it is reported: returns when no server goes by the former state. */
  async forget(): Promise<void> {
    this.#forgotten += 1;
    this.#known.clear();
    if (this.#isShared) await delay(REMEMBERED_MS);
  }
}

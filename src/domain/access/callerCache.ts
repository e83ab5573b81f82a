// What: A caller is cached for half a second, so that not every request reads its token. Plain twin: a cache with
//   `remembers: false`, with which every request reads its token.
// Measured: W3 0.25 (0.06) instead of 0.30 (0.09) CPU ms of Node.js (and PostgreSQL) per request, 1.19 times (200,000 links,
//   2026-11-26, `npm run bench -- --only fast-paths`); docs/decisions/0005-caller-cache.md.
// To remove: delete this file and its test, call `#read` directly in authentication.ts, and remove every `callerCache`,
//   with the calls of `forget` in tokens.ts and chatMigration.ts, and `callerCache` in fastPaths.ts.

import { setTimeout as delay } from "node:timers/promises";
import { LRUCache } from "lru-cache";
import type { Caller } from "../shared/caller.js";

/** How long a caller may be used, in milliseconds from before its statement was sent. */
const CACHED_MS = 500;
const MAX_CALLERS = 10_000;

interface CachedCaller {
  readonly caller: Caller;
  /** The end of its use, by performance.now(). */
  readonly until: number;
}

export interface CallerCacheOptions {
  /** False: every request reads its caller from the database. */
  readonly remembers: boolean;
  /** Whether other processes, such as servers or the command line, can use the same database. */
  readonly isShared: boolean;
}

/**
 * Callers whose tokens were read in the last half second. A change of what tokens may do, such as a revocation or a chat
 * migration, calls `forget` and is answered only when no server uses an older caller any more.
 */
export class CallerCache {
  readonly #remembers: boolean;
  readonly #isShared: boolean;
  readonly #callers = new LRUCache<string, CachedCaller>({ max: MAX_CALLERS });
  /** Counts the calls of `forget`: a caller that was being read meanwhile is not cached. */
  #forgets = 0;

  constructor({ remembers, isShared }: CallerCacheOptions) {
    this.#remembers = remembers;
    this.#isShared = isShared;
  }

  /** The cached caller, by the hash of the token's secret; undefined for one that must be read. */
  find(hash: string): Caller | undefined {
    const cached = this.#callers.get(hash);
    return cached && performance.now() < cached.until ? cached.caller : undefined;
  }

  /** Reads a caller, and caches it. A secret without a caller is not cached, so that a new token works at once. */
  async read(hash: string, readCaller: () => Promise<Caller | null>): Promise<Caller | null> {
    const [startedAt, forgets] = [performance.now(), this.#forgets];
    const caller = await readCaller();
    if (caller && this.#remembers && forgets === this.#forgets)
      this.#callers.set(hash, { caller, until: startedAt + CACHED_MS });
    return caller;
  }

  /**
   * Forgets all callers. Must be called after a change is stored and before it is answered. Resolves when no server uses a
   * caller any more that it read before the change.
   */
  async forget(): Promise<void> {
    this.#forgets += 1;
    this.#callers.clear();
    // A timer of Node.js may end up to a millisecond early.
    if (this.#isShared) await delay(CACHED_MS + 1);
  }
}

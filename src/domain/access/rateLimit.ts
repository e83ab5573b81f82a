import { LRUCache } from "lru-cache";
import { type RateLimiterAbstract, RateLimiterRes } from "rate-limiter-flexible";
import { ADMIN_KEY, type Caller } from "../shared/caller.js";
import { RateLimitedError } from "../shared/errors.js";

/** How long a window lasts, in seconds. */
export const WINDOW_SECONDS = 60;
const WINDOW_MS = WINDOW_SECONDS * 1000;
/** A server takes this part of the limit from the store at once, so that few requests need the store. */
const LEASES = 50;
/** How long a refusal may be decided by what the store said, so that refused requests do not load it; milliseconds. */
const KNOWN_MS = 1000;
/** Nothing is given back this shortly before a window ends, since it could arrive in the next window; milliseconds. */
const LAST_MS = 1000;
/** The number of remembered callers. If there are more, the least recently seen one loses its lease. */
const MAX_CALLERS = 10_000;

/** What a caller may still spend. */
export interface RemainingLimit {
  readonly limit: number;
  readonly remaining: number;
  /** When the current window ends, and the limit is whole again. */
  readonly resetAt: Date;
}

/** The seconds until a window ends, at least 1. */
export const secondsUntil = ({ resetAt }: RemainingLimit): number =>
  Math.max(1, Math.ceil((resetAt.getTime() - Date.now()) / 1000));

/**
 * What one caller may spend on this server. The server takes a lease from the store, which all servers share, and spends
 * it without asking again.
 */
class Budget {
  readonly #key: string;
  readonly #store: RateLimiterAbstract;
  readonly #limit: number;
  readonly #leaseSize: number;
  /** Taken from the store and not spent yet. */
  #lease = 0;
  /** What the store had left for all servers when it was last asked. */
  #stored: number;
  #askedAt = 0;
  /** The end of the window that both belong to, in milliseconds since 1970. */
  #until = 0;
  /** The uses of the store run one after another, so that a burst of requests takes one lease. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(key: string, store: RateLimiterAbstract, limit: number) {
    this.#key = key;
    this.#store = store;
    this.#limit = limit;
    this.#leaseSize = Math.floor(limit / LEASES);
    this.#stored = limit;
  }

  /** Whether this server knows something of the current window. */
  get isKnown(): boolean {
    return Date.now() < this.#until;
  }

  /** What is left, as far as this server knows. Without a window it is the whole limit. */
  get remaining(): RemainingLimit {
    const limit = this.#limit;
    return this.isKnown
      ? { limit, remaining: this.#lease + this.#stored, resetAt: new Date(this.#until) }
      : { limit, remaining: limit, resetAt: new Date(Date.now() + WINDOW_MS) };
  }

  /** @returns false, and spends nothing, if the lease does not suffice. */
  spendLease(cost: number): boolean {
    if (!this.isKnown || this.#lease < cost) return false;
    this.#lease -= cost;
    return true;
  }

  /** @throws RateLimitedError */
  spend(cost: number): Promise<void> {
    return this.#inTurn(async () => {
      // Other requests may spend the lease meanwhile, and a window may end.
      while (!this.spendLease(cost)) {
        if (this.#isTooMuch(cost)) throw this.#refusal(cost);
        await this.#take(cost);
      }
    });
  }

  /** Asks the store what is left. */
  look(): Promise<RemainingLimit> {
    return this.#inTurn(async () => {
      const answer = await this.#store.get(this.#key);
      if (answer !== null && answer.msBeforeNext > 0) this.#learn(answer);
      else this.#until = 0;
      return this.remaining;
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }

  #isTooMuch(cost: number): boolean {
    if (cost > this.#limit) return true;
    return this.isKnown && this.#lease + this.#stored < cost && Date.now() < this.#askedAt + KNOWN_MS;
  }

  #refusal(cost: number): RateLimitedError {
    const seconds = secondsUntil(this.remaining);
    const { remaining } = this.remaining;
    return new RateLimitedError(
      seconds,
      `This costs ${cost}. The token may spend ${remaining} more of its ${this.#limit} in the next ${seconds} s. Nothing was done.`,
    );
  }

  /** Takes what the lease lacks for `cost`, or a whole lease if that is more. Takes what is left if the store has less. */
  async #take(cost: number): Promise<void> {
    const points = Math.max(cost - (this.isKnown ? this.#lease : 0), this.#leaseSize);
    const answer = await this.#consume(points);
    this.#learn(answer);
    // The library adds refused points as well.
    const over = Math.min(points, Math.max(0, answer.consumedPoints - this.#limit));
    this.#lease += points - over;
    // A costly request that is refused must not keep from other servers what they can spend on cheap ones.
    const spare = over > 0 && this.#lease < cost ? Math.max(0, this.#lease - this.#leaseSize) : 0;
    if (over + spare === 0 || Date.now() >= this.#until - LAST_MS) return;
    this.#lease -= spare;
    this.#learn(await this.#store.reward(this.#key, over + spare));
  }

  async #consume(points: number): Promise<RateLimiterRes> {
    try {
      return await this.#store.consume(this.#key, points);
    } catch (refused) {
      if (refused instanceof RateLimiterRes) return refused;
      throw refused;
    }
  }

  #learn({ consumedPoints, msBeforeNext }: RateLimiterRes): void {
    const now = Date.now();
    const until = now + msBeforeNext;
    // The same end differs by milliseconds between two answers.
    const isOtherWindow = !this.isKnown || until > this.#until + WINDOW_MS / 2;
    if (isOtherWindow) this.#lease = 0;
    this.#until = until;
    this.#stored = Math.min(this.#limit, Math.max(0, this.#limit - consumedPoints));
    this.#askedAt = now;
  }
}

/**
 * Limits what each API token may spend in a minute, on all servers together. The minute begins with the token's first
 * request. Servers hold at most a fiftieth of the limit each that others cannot spend.
 */
export class RateLimit {
  readonly limit: number;
  readonly #store: RateLimiterAbstract;
  readonly #budgets = new LRUCache<string, Budget>({ max: MAX_CALLERS });

  /** @param store adds up what the servers have taken; see rateLimitStore.ts. */
  constructor(limit: number, store: RateLimiterAbstract) {
    this.limit = limit;
    this.#store = store;
  }

  /**
   * Spends the cost of a request, before the request is executed. Undefined if that takes no waiting.
   * @throws RateLimitedError if the caller has not as much left.
   */
  spend(caller: Caller, cost: number): Promise<void> | undefined {
    const budget = this.#budgetOf(caller);
    const points = Math.ceil(cost);
    if (budget === null || points === 0 || budget.spendLease(points)) return undefined;
    return budget.spend(points);
  }

  /** What the caller may still spend; null for a caller who is not limited. */
  async look(caller: Caller): Promise<RemainingLimit | null> {
    return (await this.#budgetOf(caller)?.look()) ?? null;
  }

  /** The same as far as this server knows it. The store is asked only if the server knows nothing of the window. */
  lookNearby(caller: Caller): RemainingLimit | null | Promise<RemainingLimit | null> {
    const budget = this.#budgetOf(caller);
    if (budget === null) return null;
    return budget.isKnown ? budget.remaining : budget.look();
  }

  #budgetOf({ key }: Caller): Budget | null {
    if (key === ADMIN_KEY) return null;
    let budget = this.#budgets.get(key);
    if (budget === undefined) {
      budget = new Budget(key, this.#store, this.limit);
      this.#budgets.set(key, budget);
    }
    return budget;
  }
}

import { setTimeout as delay } from "node:timers/promises";
import { type Resolve, type ResolvedAddress, resolveName } from "../../domain/webhooks/addresses.js";

/** A lookup that takes longer marks its name as slow. Milliseconds. */
const SLOW_MS = 1000;
const MAX_SLOW_NAMES = 1000;

const settled = (work: Promise<unknown>): Promise<void> =>
  work.then(
    () => {},
    () => {},
  );

/**
 * Looks names up, each anew for every attempt; attempts that ask while a lookup runs share it. A lookup occupies one of the
 * four threads of Node.js until the resolver gives up, which may take half a minute. So at most three run at a time: one of
 * names that are not known to be slow, one that has turned out to be slow, and one of names that were slow before.
 */
export class NameLookups {
  readonly #resolve: Resolve;
  readonly #slowMs: number;
  readonly #running = new Map<string, Promise<readonly ResolvedAddress[]>>();
  readonly #slowNames = new Set<string>();
  /** Each resolves when the next lookup may begin. */
  #quick: Promise<void> = Promise.resolve();
  #slow: Promise<void> = Promise.resolve();
  /** Resolves when no lookup that turned out to be slow runs. */
  #overdue: Promise<void> = Promise.resolve();

  constructor(resolve: Resolve = resolveName, slowMs = SLOW_MS) {
    this.#resolve = resolve;
    this.#slowMs = slowMs;
  }

  readonly lookUp: Resolve = (name) => {
    const running = this.#running.get(name);
    if (running !== undefined) return running;
    const found = this.#slowNames.has(name) ? this.#lookUpSlow(name) : this.#lookUpQuick(name);
    this.#running.set(name, found);
    const end = () => this.#running.delete(name);
    found.then(end, end);
    return found;
  };

  #lookUpSlow(name: string): Promise<readonly ResolvedAddress[]> {
    return new Promise((resolve, reject) => {
      this.#slow = this.#slow.then(async () => {
        const started = performance.now();
        const finding = this.#resolve(name);
        finding.then(resolve, reject);
        await settled(finding);
        if (performance.now() - started < this.#slowMs) this.#slowNames.delete(name);
      });
    });
  }

  #lookUpQuick(name: string): Promise<readonly ResolvedAddress[]> {
    return new Promise((resolve, reject) => {
      this.#quick = this.#quick.then(() => {
        const finding = this.#resolve(name);
        finding.then(resolve, reject);
        return this.#leaveIfSlow(name, settled(finding));
      });
    });
  }

  /** Resolves when a lookup is over, or when it has turned out to be slow and no other such lookup runs. */
  async #leaveIfSlow(name: string, over: Promise<void>): Promise<void> {
    const timer = new AbortController();
    const isLate = delay(this.#slowMs, true, { signal: timer.signal }).catch(() => false);
    const isSlow = await Promise.race([over.then(() => false), isLate]);
    timer.abort();
    if (!isSlow) return;
    if (this.#slowNames.size >= MAX_SLOW_NAMES) this.#slowNames.clear();
    this.#slowNames.add(name);
    const before = this.#overdue;
    this.#overdue = Promise.all([before, over]).then(() => {});
    await Promise.race([before, over]);
  }
}

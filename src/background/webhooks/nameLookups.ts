import { type Resolve, type ResolvedAddress, resolveName } from "../../domain/webhooks/addresses.js";
import { Slots } from "./slots.js";

/** A lookup that takes longer marks its name as slow. Milliseconds. */
const SLOW_MS = 200;
const MAX_SLOW_NAMES = 1000;
/** Of the four threads of Node.js. */
const THREADS = 3;

/**
 * Looks names up, each anew for every attempt; attempts that ask while a lookup runs share it. A lookup occupies one of the
 * four threads of Node.js until the resolver gives up, which may take half a minute. So at most three run at a time, and at
 * most one of them is of a name that was slow before.
 */
export class NameLookups {
  readonly #resolve: Resolve;
  readonly #slowMs: number;
  readonly #running = new Map<string, Promise<readonly ResolvedAddress[]>>();
  readonly #slowNames = new Set<string>();
  readonly #threads = new Slots(THREADS);
  readonly #slow = new Slots(1);

  constructor(resolve: Resolve = resolveName, slowMs = SLOW_MS) {
    this.#resolve = resolve;
    this.#slowMs = slowMs;
  }

  readonly lookUp: Resolve = (name) => {
    const running = this.#running.get(name);
    if (running !== undefined) return running;
    const found = (this.#slowNames.has(name) ? this.#lookUpSlow(name) : this.#lookUpOn(name)).finally(() =>
      this.#running.delete(name),
    );
    this.#running.set(name, found);
    return found;
  };

  async #lookUpSlow(name: string): Promise<readonly ResolvedAddress[]> {
    await this.#slow.take();
    try {
      return await this.#lookUpOn(name);
    } finally {
      this.#slow.give();
    }
  }

  async #lookUpOn(name: string): Promise<readonly ResolvedAddress[]> {
    await this.#threads.take();
    const started = performance.now();
    try {
      return await this.#resolve(name);
    } finally {
      this.#threads.give();
      this.#note(name, performance.now() - started >= this.#slowMs);
    }
  }

  #note(name: string, isSlow: boolean): void {
    if (!isSlow) this.#slowNames.delete(name);
    else {
      if (this.#slowNames.size >= MAX_SLOW_NAMES) this.#slowNames.clear();
      this.#slowNames.add(name);
    }
  }
}

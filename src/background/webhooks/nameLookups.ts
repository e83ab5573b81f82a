import { type Resolve, type ResolvedAddress, resolveName } from "../../domain/webhooks/addresses.js";

/** A lookup that takes longer marks its name as slow. Milliseconds. */
const SLOW_MS = 1000;
const MAX_SLOW_NAMES = 1000;

/**
 * Looks names up, each anew for every attempt; attempts that ask while a lookup runs share it. A lookup occupies one of the few
 * threads of Node.js until the resolver gives up, so at most two run at a time, one of them for names that were slow.
 */
export class NameLookups {
  readonly #resolve: Resolve;
  readonly #running = new Map<string, Promise<readonly ResolvedAddress[]>>();
  readonly #slowNames = new Set<string>();
  /** Resolves when the lane is free. */
  readonly #lanes: { quick: Promise<unknown>; slow: Promise<unknown> } = {
    quick: Promise.resolve(),
    slow: Promise.resolve(),
  };

  constructor(resolve: Resolve = resolveName) {
    this.#resolve = resolve;
  }

  readonly lookUp: Resolve = (name) => {
    const running = this.#running.get(name);
    if (running !== undefined) return running;
    const lane = this.#slowNames.has(name) ? "slow" : "quick";
    const found = this.#lanes[lane].then(() => this.#measured(name));
    this.#lanes[lane] = found.catch(() => {});
    this.#running.set(name, found);
    const end = () => this.#running.delete(name);
    found.then(end, end);
    return found;
  };

  async #measured(name: string): Promise<readonly ResolvedAddress[]> {
    const started = performance.now();
    try {
      return await this.#resolve(name);
    } finally {
      this.#slowNames.delete(name);
      if (performance.now() - started > SLOW_MS) {
        if (this.#slowNames.size >= MAX_SLOW_NAMES) this.#slowNames.clear();
        this.#slowNames.add(name);
      }
    }
  }
}

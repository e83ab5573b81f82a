import type { CallQueue } from "./callQueue.js";
import { type Hold, type HoldStore, type HoldTarget, holdAfter429, widerHolds } from "./holds.js";

/** How long to wait for the store before going on with the holds in memory, in milliseconds. */
const STORE_MS = 1000;

async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error("The store of the holds does not answer.")), STORE_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Stores nothing: for tests and for a bot with a single server. */
export const NO_STORE: HoldStore = { live: async () => [], add: async () => [] };

/** Synchronizes this server's holds with the stored holds. While the store does not answer, this server uses its own. */
export class SharedHolds {
  readonly #store: HoldStore;
  readonly #queue: CallQueue;
  /** Whether this server may have holds that could not be stored. */
  #isStoreBehind = false;

  constructor(store: HoldStore, queue: CallQueue) {
    this.#store = store;
    this.#queue = queue;
  }

  /** Takes over the holds that other servers have stored. */
  async refresh(): Promise<void> {
    const own = this.#isStoreBehind ? this.#queue.holds : [];
    // Another hold may fail to be stored while the store answers here.
    this.#isStoreBehind = false;
    try {
      const started = performance.now();
      this.#take(await inTime(own.length > 0 ? this.#store.add(own) : this.#store.live()), started);
    } catch {
      // Calls that need the database report that it is unavailable.
      if (own.length > 0) this.#isStoreBehind = true;
    }
  }

  /** Adds the hold of a 429: at once on this server, and for all servers when this resolves. */
  async add(target: HoldTarget, milliseconds: number): Promise<void> {
    const hold = holdAfter429(target, milliseconds);
    this.#queue.hold([hold]);
    const wider = this.#widen();
    try {
      const started = performance.now();
      this.#take(await inTime(this.#store.add([hold, ...wider])), started);
      // Together with the holds of other servers, wider holds may follow.
      const further = this.#widen();
      if (further.length > 0) await inTime(this.#store.add(further));
    } catch {
      this.#isStoreBehind = true;
    }
  }

  /** @param started when the store was read, by performance.now(). The time since then is subtracted. */
  #take(stored: readonly Hold[], started: number): void {
    const passed = performance.now() - started;
    this.#queue.hold(stored.map((hold) => ({ ...hold, milliseconds: hold.milliseconds - passed })));
  }

  /** Adds the wider holds that follow from the known holds. @returns the wider holds. */
  #widen(): Hold[] {
    const wider = widerHolds(this.#queue.holds);
    this.#queue.hold(wider);
    return wider;
  }
}

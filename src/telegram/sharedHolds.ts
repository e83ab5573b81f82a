import type { CallQueue } from "./callQueue.js";
import { type Hold, type HoldStore, type HoldTarget, holdAskedFor, widerHolds } from "./holds.js";

/** How long a call, or whoever asks for the holds, waits for the store. After that, memory decides. */
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

/** For tests, and for a bot that has one server: nothing is stored. */
export const NO_STORE: HoldStore = { live: async () => [], add: async () => [] };

/** Keeps a server's holds and the stored ones the same. While the store is away, the server goes by its own. */
export class SharedHolds {
  readonly #store: HoldStore;
  readonly #queue: CallQueue;
  /** Whether there may be holds here that could not be stored. */
  #isStoreBehind = false;

  constructor(store: HoldStore, pace: CallQueue) {
    this.#store = store;
    this.#queue = pace;
  }

  /** Learns what other servers have stored. */
  async refresh(): Promise<void> {
    try {
      const started = performance.now();
      const own = this.#isStoreBehind ? this.#queue.holds : [];
      const stored = await inTime(own.length > 0 ? this.#store.add(own) : this.#store.live());
      this.#isStoreBehind = false;
      this.#take(stored, started);
    } catch {
      // The database's absence is told where it keeps something from being done.
    }
  }

  /** Notes a 429: at once here, and stored for all when this resolves. */
  async add(target: HoldTarget, milliseconds: number): Promise<void> {
    const asked = holdAskedFor(target, milliseconds);
    this.#queue.hold([asked]);
    const wider = this.#widen();
    try {
      const started = performance.now();
      this.#take(await inTime(this.#store.add([asked, ...wider])), started);
      // Together with what only other servers knew of, it may reach further.
      const further = this.#widen();
      if (further.length > 0) await inTime(this.#store.add(further));
    } catch {
      this.#isStoreBehind = true;
    }
  }

  /** @param started when the store was asked, as of performance.now(): its holds have less left by now. */
  #take(stored: readonly Hold[], started: number): void {
    const passed = performance.now() - started;
    this.#queue.hold(stored.map((hold) => ({ ...hold, milliseconds: hold.milliseconds - passed })));
  }

  /** @returns the wider holds that those known here bring about. */
  #widen(): Hold[] {
    const wider = widerHolds(this.#queue.holds);
    this.#queue.hold(wider);
    return wider;
  }
}

import type { ReceivedUpdate } from "../../telegram/updates.js";

export interface BatcherOptions {
  /** Stores a batch. Resolves after the commit. */
  readonly store: (updates: readonly ReceivedUpdate[]) => Promise<void>;
  /** How long the first update of a batch waits for others, in milliseconds. */
  readonly waitMs: number;
  /** Updates of one batch at most. */
  readonly maxBatch: number;
  /** Updates that may wait at most. */
  readonly maxWaiting: number;
}

export const BATCHER_LIMITS = { waitMs: 3, maxBatch: 1000, maxWaiting: 10_000 } as const;

/** More updates wait than the database can store. */
export class BatcherFullError extends Error {
  override readonly name = "BatcherFullError";
}

interface Waiting {
  readonly update: ReceivedUpdate;
  readonly signal: AbortSignal;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Stores updates that arrive one by one in batches, since a commit costs far more than an update. One batch is stored at a
 * time; updates that arrive meanwhile form the next.
 */
export class UpdateBatcher {
  readonly #options: BatcherOptions;
  #waiting: Waiting[] = [];
  #isStoring = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: BatcherOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the update is stored.
   * @param signal an update whose signal is aborted while it waits is not stored: nobody waits for it any more
   * @throws BatcherFullError, or the error with which its batch failed
   */
  add(update: ReceivedUpdate, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length >= this.#options.maxWaiting) {
        reject(new BatcherFullError("Too many updates wait to be stored."));
        return;
      }
      this.#waiting.push({ update, signal, resolve, reject });
      if (this.#isStoring) return;
      if (this.#waiting.length >= this.#options.maxBatch) this.#begin();
      else this.#timer ??= setTimeout(() => this.#begin(), this.#options.waitMs);
    });
  }

  #begin(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#waiting.splice(0, this.#options.maxBatch).filter(({ signal }) => !signal.aborted);
    if (batch.length > 0) void this.#store(batch);
    else if (this.#waiting.length > 0) this.#begin();
  }

  async #store(batch: readonly Waiting[]): Promise<void> {
    this.#isStoring = true;
    try {
      await this.#options.store(batch.map(({ update }) => update));
      for (const { resolve } of batch) resolve();
    } catch (error) {
      for (const { reject } of batch) reject(error);
    } finally {
      this.#isStoring = false;
      // These have waited while the last batch was stored.
      if (this.#waiting.length > 0) this.#begin();
    }
  }
}

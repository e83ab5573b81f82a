import { setTimeout as delay } from "node:timers/promises";

/** Waits, or returns early when `signal` is aborted. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal }).catch(() => {});
}

/** @returns what `work` gives, or "late" if it takes longer or `signal` is aborted */
export async function within<T>(
  work: Promise<T>,
  milliseconds: number,
  signal: AbortSignal,
): Promise<T | "late"> {
  const ended = new AbortController();
  const end = () => ended.abort();
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
  try {
    return await Promise.race([work, pause(milliseconds, ended.signal).then(() => "late" as const)]);
  } finally {
    end();
    signal.removeEventListener("abort", end);
  }
}

/** Pauses that double with each failure in a row. */
export class GrowingPause {
  readonly #firstMs: number;
  readonly #longestMs: number;
  #nextMs: number;

  constructor(firstMs: number, longestMs: number) {
    this.#firstMs = firstMs;
    this.#longestMs = longestMs;
    this.#nextMs = firstMs;
  }

  /** @returns the next pause in milliseconds. */
  next(): number {
    const milliseconds = this.#nextMs;
    this.#nextMs = Math.min(milliseconds * 2, this.#longestMs);
    return milliseconds;
  }

  reset(): void {
    this.#nextMs = this.#firstMs;
  }
}

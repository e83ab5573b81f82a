/**
 * Work that goes on after its request was answered, such as storing what Telegram has done. The server waits for it before
 * it stops.
 */
export class PendingWork {
  readonly #work = new Set<Promise<void>>();
  /** When the server began to stop, by performance.now(); null before. */
  #stoppingSince: number | null = null;

  /** Counts work as pending until it succeeds or fails. @returns the same promise. */
  track<T>(work: Promise<T>): Promise<T> {
    const ended = work.then(
      () => {},
      () => {},
    );
    this.#work.add(ended);
    void ended.then(() => this.#work.delete(ended));
    return work;
  }

  /** The server stops: work that would take long gives up. */
  stopSoon(): void {
    this.#stoppingSince ??= performance.now();
  }

  /** For how long the server has been stopping, in milliseconds. */
  get stoppingMs(): number {
    return this.#stoppingSince === null ? 0 : performance.now() - this.#stoppingSince;
  }

  /** Resolves when nothing is pending. */
  async drained(): Promise<void> {
    this.stopSoon();
    while (this.#work.size > 0) await Promise.all(this.#work);
  }
}

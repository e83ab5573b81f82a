/**
 * Work that goes on after its request was answered, such as storing what Telegram has done. The server waits for it before
 * it stops.
 */
export class PendingWork {
  readonly #work = new Set<Promise<void>>();
  /** When the server began to wait, by performance.now(); null before. */
  #drainedSince: number | null = null;

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

  /** How long the server has been waiting for the work in order to stop, in milliseconds. */
  get drainingMs(): number {
    return this.#drainedSince === null ? 0 : performance.now() - this.#drainedSince;
  }

  /** Resolves when nothing is pending. */
  async drained(): Promise<void> {
    this.#drainedSince ??= performance.now();
    while (this.#work.size > 0) await Promise.all(this.#work);
  }
}

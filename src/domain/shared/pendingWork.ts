/**
 * Work that goes on after its request was answered, such as storing what Telegram has done. The server waits for it before
 * it stops.
 */
export class PendingWork {
  readonly #work = new Set<Promise<void>>();

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

  /** Resolves when nothing is pending. */
  async drained(): Promise<void> {
    while (this.#work.size > 0) await Promise.all(this.#work);
  }
}

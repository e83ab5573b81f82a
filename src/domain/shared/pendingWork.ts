/** Work that goes on though nobody may wait for its outcome any more, such as storing what Telegram has done. */
export class PendingWork {
  readonly #work = new Set<Promise<void>>();

  /** Counts work as under way until it ends, whichever way. */
  track<T>(work: Promise<T>): Promise<T> {
    const ended = work.then(
      () => {},
      () => {},
    );
    this.#work.add(ended);
    void ended.then(() => this.#work.delete(ended));
    return work;
  }

  /** Resolves when nothing is under way. */
  async drained(): Promise<void> {
    while (this.#work.size > 0) await Promise.all(this.#work);
  }
}

/** Calls in a row without an answer, after which none is sent before something was heard. */
const MANY = 3;

/**
 * Whether there is anybody at the other end. A call that nobody answers costs its caller the whole time limit and
 * leaves unknown what came of it; so after several of them it is asked first, by a call that is short and does nothing.
 */
export class CircuitBreaker {
  #calls = 0;
  #looking: Promise<void> | undefined;
  /** When the latest look ended in vain, as of performance.now(). */
  #inVain = Number.NEGATIVE_INFINITY;

  /** A call was answered, whatever the answer. */
  answered(): void {
    this.#calls = 0;
  }

  /** A call was not answered in time. */
  unanswered(): void {
    this.#calls += 1;
  }

  get #lasts(): boolean {
    return this.#calls >= MANY;
  }

  /**
   * Whether a call would be for nothing. Looks first, once for all calls that wait meanwhile.
   * @param since when the call was asked for, as of performance.now().
   * @param look a call whose answer, or silence, is told here like any.
   */
  async isTotal(since: number, look: () => Promise<void>): Promise<boolean> {
    if (!this.#lasts || since < this.#inVain) return this.#lasts;
    this.#looking ??= look().finally(() => {
      this.#looking = undefined;
      if (this.#lasts) this.#inVain = performance.now();
    });
    await this.#looking;
    return this.#lasts;
  }
}

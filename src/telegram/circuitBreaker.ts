/** The breaker opens after this many calls in a row without an answer. */
const MAX_UNANSWERED = 3;

/**
 * Stops calls while Telegram does not answer at all. A call without an answer costs its caller the whole time limit and
 * leaves its outcome unknown.
 *
 * - closed: calls are sent.
 * - open: calls fail at once.
 * - half-open: a short probe without side effects is being sent; calls wait for its result.
 */
export class CircuitBreaker {
  #unanswered = 0;
  #probing: Promise<void> | undefined;
  /** When the latest unanswered probe ended, by performance.now(). */
  #probeFailedAt = Number.NEGATIVE_INFINITY;

  get #isClosed(): boolean {
    return this.#unanswered < MAX_UNANSWERED;
  }

  /** Must be called for every answer, including errors. */
  recordAnswer(): void {
    this.#unanswered = 0;
  }

  /** Must be called when a call was not answered in time. */
  recordNoAnswer(): void {
    this.#unanswered += 1;
  }

  /**
   * Decides whether a call may be sent. While the breaker is open, one probe decides for all calls that wait meanwhile.
   * @param since when the call was requested, by performance.now(). A probe that failed after that decides for it as well.
   * @param probe sends a call whose outcome is recorded here like that of any other call.
   */
  async allows(since: number, probe: () => Promise<void>): Promise<boolean> {
    if (this.#isClosed) return true;
    if (since < this.#probeFailedAt) return false;
    this.#probing ??= probe().finally(() => {
      this.#probing = undefined;
      if (!this.#isClosed) this.#probeFailedAt = performance.now();
    });
    await this.#probing;
    return this.#isClosed;
  }
}

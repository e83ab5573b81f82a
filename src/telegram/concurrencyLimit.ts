/** The largest number of calls at once, as long as there was no hold. */
const MAX_USES = 10;

export interface LimitedUse {
  /** Whether a hold has come since the use began. */
  readonly isOutdated: boolean;
  /** Frees the place. @param succeeded whether the call succeeded, so that the limit may grow again. */
  end(succeeded: boolean): void;
}

/**
 * Limits the calls at once: ten until a hold, then one, and one more with each call that succeeds. Sending all
 * waiting calls at once after a hold would cause the next hold.
 */
export class ConcurrencyLimit {
  #allowed = MAX_USES;
  #inUse = 0;
  #holds = 0;

  get allowed(): number {
    return this.#allowed;
  }

  get isFree(): boolean {
    return this.#inUse < this.#allowed;
  }

  held(): void {
    this.#allowed = 1;
    this.#holds += 1;
  }

  begin(): LimitedUse {
    this.#inUse += 1;
    const holds = this.#holds;
    const isOutdated = () => holds !== this.#holds;
    return {
      get isOutdated() {
        return isOutdated();
      },
      end: (succeeded) => {
        this.#inUse -= 1;
        // The success of a call from before the latest hold does not show that Telegram accepts more calls again.
        if (succeeded && !isOutdated()) this.#allowed = Math.min(this.#allowed + 1, MAX_USES);
      },
    };
  }
}

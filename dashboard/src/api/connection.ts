import { ServerError, ServerParseError } from "@apollo/client";
import { isDown } from "./probe.js";

/** The time to the first new attempt, and the longest time between two, in milliseconds. */
const FIRST_WAIT = 500;
const LONGEST_WAIT = 10_000;

/** Whether a request failed because no server could be reached, rather than because the server refused it. */
export const isUnreachable = (error: unknown): boolean =>
  ServerError.is(error) || ServerParseError.is(error)
    ? isDown(error.statusCode)
    : error instanceof TypeError || (error instanceof Error && error.name === "NetworkError");

/**
 * Knows whether the server can be reached. After a request has failed on the way, it asks the server again and again,
 * with growing pauses, and at once when the browser says that it is online or the page is shown again.
 */
export class Connection {
  readonly #ask: () => Promise<boolean>;
  readonly #onRestored: () => void;
  readonly #listeners = new Set<() => void>();
  #isLost = false;
  #attempts = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param ask asks the server whether it answers
   * @param onRestored called when the server answers again
   */
  constructor(ask: () => Promise<boolean>, onRestored: () => void) {
    this.#ask = ask;
    this.#onRestored = onRestored;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly isLost = (): boolean => this.#isLost;

  /** A request got no answer. */
  lose(): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#attempts = 0;
    addEventListener("online", this.#tryNow);
    addEventListener("visibilitychange", this.#tryNow);
    this.#wait();
    this.#tell();
  }

  /** The server answered, whatever it said. */
  restore(): void {
    if (!this.#isLost) return;
    this.close();
    this.#tell();
    this.#onRestored();
  }

  /** Resolves when the server answers again. */
  restored(): Promise<void> {
    if (!this.#isLost) return Promise.resolve();
    return new Promise((resolve) => {
      const leave = this.subscribe(() => {
        if (this.#isLost) return;
        leave();
        resolve();
      });
    });
  }

  /** Ends the attempts; one that is on its way is the last. */
  close(): void {
    this.#isLost = false;
    clearTimeout(this.#timer);
    removeEventListener("online", this.#tryNow);
    removeEventListener("visibilitychange", this.#tryNow);
  }

  readonly #tryNow = async (): Promise<void> => {
    clearTimeout(this.#timer);
    const isReached = await this.#ask();
    if (isReached) this.restore();
    else if (this.#isLost) this.#wait();
  };

  #wait(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#tryNow, Math.min(FIRST_WAIT * 2 ** this.#attempts, LONGEST_WAIT));
    this.#attempts += 1;
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

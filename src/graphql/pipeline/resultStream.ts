import type { Logger } from "../../log.js";
import { isOfDatabase } from "./errors.js";
import type { OperationResult } from "./operation.js";

/** The source of a subscription. */
export interface Source extends AsyncIterator<unknown> {
  /** Whether the source gives what happens now. */
  readonly isLive?: boolean;
  /** The next events that need not be waited for. */
  takeReady?(most: number): unknown[];
}

export interface ResultStreamOptions {
  /** The events of the subscription's source. */
  readonly events: Source;
  /** Executes the subscription's selection for each of some events. */
  readonly resultsOf: (events: readonly unknown[]) => Promise<OperationResult[]>;
  /** The last result of a stream whose source failed. */
  readonly failureOf: (error: unknown) => OperationResult;
  /** Called once, with the codes of all errors in the stream's results, each named once. */
  readonly onEnd: (codes: readonly string[]) => void;
  readonly log: Logger;
}

/** Events that are executed together at most, so that what they select is read together. */
const MAX_TOGETHER = 50;

/** Whether the database did not answer while a result was made, so that another attempt may give the result. */
const isUnreadable = ({ errors = [] }: OperationResult): boolean => errors.some(isOfDatabase);

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/**
 * The results of a subscription. The reader pulls: the source is asked for its next events only when the reader asks for a
 * result, so that no more than the results of MAX_TOGETHER events wait here for a slow reader.
 *
 * The class implements the iterator by hand, because an async generator would let `return()` wait until the source has
 * another event, which may never come. Here a stream can be ended at any moment, also while it waits for an event.
 */
export class ResultStream implements AsyncIterableIterator<OperationResult> {
  readonly #options: ResultStreamOptions;
  readonly #codes = new Set<string>();
  /** Answers the reader's pending `next()`; null while the reader has not asked. */
  #answer: ((result: IteratorResult<OperationResult>) => void) | null = null;
  /** The last result of a stream that has ended, until the reader takes it. */
  #last: OperationResult | null = null;
  #hasEnded = false;
  #isInterrupted = false;
  #isRevoked = false;
  /** The results that the reader has not asked for yet. */
  #ready: OperationResult[] = [];
  /** The result before which the stream is to be interrupted, after those that are ready. */
  #unreadable: OperationResult | null = null;

  constructor(options: ResultStreamOptions) {
    this.#options = options;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Whether the source gives what happens now, rather than what happened before the subscription or what it coalesces. */
  get isLive(): boolean {
    return this.#options.events.isLive === true;
  }

  /**
   * Whether the stream ended although its operation is not over, because the database did not answer. The event of which the
   * client was not told comes again when the client reconnects.
   */
  get isInterrupted(): boolean {
    return this.#isInterrupted;
  }

  /** Whether the stream ended because its caller has lost rights. */
  get isRevoked(): boolean {
    return this.#isRevoked;
  }

  /** Resolves with the next result. The reader must await it before it asks again. */
  next(): Promise<IteratorResult<OperationResult>> {
    if (this.#last) {
      const value = this.#last;
      this.#last = null;
      return Promise.resolve({ done: false, value });
    }
    if (this.#hasEnded) return Promise.resolve(DONE);
    const ready = this.#ready.shift();
    if (ready) return Promise.resolve({ done: false, value: ready });
    if (this.#unreadable) {
      this.interrupt(this.#unreadable);
      return Promise.resolve(DONE);
    }
    if (this.#answer) return Promise.reject(new TypeError("The stream's reader asked twice at once."));
    return new Promise((resolve) => {
      this.#answer = resolve;
      void this.#produce();
    });
  }

  /** The reader has left. */
  return(): Promise<IteratorResult<OperationResult>> {
    this.end();
    return Promise.resolve(DONE);
  }

  /**
   * Ends the stream at once: a pending `next()` is answered, and no event is delivered any more.
   * @param last a result to deliver before the end, such as the reason.
   */
  end(last: OperationResult | null = null): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    void this.#closeSource();
    if (last) this.#collectCodes(last);
    this.#options.onEnd([...this.#codes]);
    const answer = this.#answer;
    this.#answer = null;
    if (!answer) this.#last = last;
    else answer(last ? { done: false, value: last } : DONE);
  }

  /** Ends the stream at once, so that its client reconnects. @param reason is not delivered */
  interrupt(reason: OperationResult): void {
    if (this.#hasEnded) return;
    this.#isInterrupted = true;
    this.#collectCodes(reason);
    this.end();
  }

  /** Ends the stream at once, because its caller has lost rights. @param reason is delivered */
  revoke(reason: OperationResult): void {
    this.#isRevoked ||= !this.#hasEnded;
    this.end(reason);
  }

  async #produce(): Promise<void> {
    const { events, resultsOf, failureOf } = this.#options;
    try {
      const event = await events.next();
      if (event.done) return this.end();
      const ready = events.takeReady?.(MAX_TOGETHER - 1) ?? [];
      const results = await resultsOf([event.value, ...ready]);
      if (this.#hasEnded) return;
      const unreadable = results.find(isUnreadable) ?? null;
      const readable = unreadable ? results.slice(0, results.indexOf(unreadable)) : results;
      for (const result of readable) this.#collectCodes(result);
      const [value, ...rest] = readable;
      this.#ready = rest;
      this.#unreadable = unreadable;
      if (!value) {
        if (unreadable) this.interrupt(unreadable);
        return;
      }
      const answer = this.#answer;
      this.#answer = null;
      answer?.({ done: false, value });
    } catch (error) {
      if (this.#hasEnded) return;
      const failure = failureOf(error);
      if (isUnreadable(failure)) this.interrupt(failure);
      else this.end(failure);
    }
  }

  /** Closes the source. Nobody waits for this, because a source that awaits its next event may close late. */
  async #closeSource(): Promise<void> {
    try {
      await this.#options.events.return?.();
    } catch (error) {
      this.#options.log.error({ err: error }, "the source of a subscription did not close cleanly");
    }
  }

  #collectCodes({ errors = [] }: OperationResult): void {
    for (const { extensions } of errors) this.#codes.add(String(extensions["code"]));
  }
}

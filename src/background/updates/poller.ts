import { unavailabilityOf } from "../../database/failures.js";
import { type PollerTerm, PollerTermOverError } from "../../domain/members/ingestion.js";
import { type UpdateCalls, UpdatesCallError, type UpdatesFailure } from "../../telegram/updateCalls.js";
import type { ReceivedUpdate } from "../../telegram/updates.js";
import type { UpdateIntake } from "./intake.js";
import { GrowingPause, pause } from "./pause.js";

/** Times in milliseconds unless the name says otherwise. */
export interface PollerTimes {
  /** How long Telegram waits for an update before it answers with none, in seconds; 50 at most. */
  readonly longPollSeconds: number;
  /** The pause before the same offset is asked again. Within half a second Telegram would give one update only. */
  readonly sameOffsetMs: number;
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  /** The pause before a batch is stored again that the database could not store. */
  readonly storeAgainMs: number;
  /**
   * After so long without an update the offset is left out. After a week without one, Telegram's next id is random, and an
   * old, higher offset would acknowledge it unread.
   */
  readonly quietMs: number;
}

export const POLLER_TIMES: PollerTimes = {
  longPollSeconds: 50,
  sameOffsetMs: 600,
  firstPauseMs: 1000,
  longestPauseMs: 30_000,
  storeAgainMs: 500,
  quietMs: 6 * 86_400_000,
};

/** What a poller tells and asks its receiver. */
export interface PollerHost {
  /** Telegram answered a getUpdates with updates or none. */
  asked(): void;
  /** getUpdates failed. */
  failed(failure: UpdatesFailure): void;
  /** A webhook keeps Telegram from answering getUpdates. @returns whether it was removed */
  removeWebhook(signal: AbortSignal): Promise<boolean>;
  /** A batch could not be stored for another reason than the database's absence. */
  unexpected(error: unknown): void;
}

export interface PollerOptions {
  readonly calls: UpdateCalls;
  readonly intake: UpdateIntake;
  readonly host: PollerHost;
  readonly times: PollerTimes;
}

/** Receives updates by polling for one term of the lease. */
export class Poller {
  readonly #options: PollerOptions;
  readonly #term: PollerTerm;
  readonly #pauses: GrowingPause;
  /** Undefined: nothing is acknowledged. */
  #offset: number | undefined;
  #lastUpdateAt = performance.now();

  constructor(options: PollerOptions, term: PollerTerm) {
    this.#options = options;
    this.#term = term;
    this.#pauses = new GrowingPause(options.times.firstPauseMs, options.times.longestPauseMs);
  }

  /** Polls until the signal is aborted. @throws PollerTermOverError when another server has taken the lease */
  async run(signal: AbortSignal): Promise<void> {
    const { times } = this.#options;
    // The first answer comes at once, so that the start of the server can wait for it.
    let seconds = 0;
    while (!signal.aborted) {
      if (performance.now() - this.#lastUpdateAt > times.quietMs) this.#offset = undefined;
      const offset = this.#offset;
      const values = await this.#ask(seconds, signal);
      if (values === null) continue;
      seconds = times.longPollSeconds;
      if (values.length > 0 && !(await this.#store(values, signal))) return;
      if (this.#offset === offset) await pause(times.sameOffsetMs, signal);
    }
  }

  /** @returns null after a failure, when its pause is over. */
  async #ask(seconds: number, signal: AbortSignal): Promise<readonly unknown[] | null> {
    const { calls, host } = this.#options;
    try {
      const values = await calls.poll({ offset: this.#offset, seconds }, signal);
      host.asked();
      this.#pauses.reset();
      return values;
    } catch (error) {
      if (signal.aborted) return null;
      if (!(error instanceof UpdatesCallError)) throw error;
      host.failed(error.failure);
      await this.#waitOut(error.failure, signal);
      return null;
    }
  }

  async #waitOut(failure: UpdatesFailure, signal: AbortSignal): Promise<void> {
    if (failure.kind === "tooManyRequests") return pause(failure.retryAfterSeconds * 1000, signal);
    const isRemoved = failure.kind === "webhookActive" && (await this.#options.host.removeWebhook(signal));
    if (!isRemoved) await pause(this.#pauses.next(), signal);
  }

  /** Stores updates and only then lets the offset go on. @returns false if the signal was aborted before they were stored */
  async #store(values: readonly unknown[], signal: AbortSignal): Promise<boolean> {
    const { intake } = this.#options;
    const updates = intake.read(values);
    const last = updates.at(-1);
    if (last === undefined) return true;
    if (!(await this.#storeUntilDone(updates, signal))) return false;
    this.#offset = last.updateId + 1;
    this.#lastUpdateAt = performance.now();
    return true;
  }

  async #storeUntilDone(updates: readonly ReceivedUpdate[], signal: AbortSignal): Promise<boolean> {
    const { intake, host, times } = this.#options;
    const pauses = new GrowingPause(times.storeAgainMs, times.longestPauseMs);
    while (!signal.aborted) {
      try {
        await intake.store(updates, this.#term);
        return true;
      } catch (error) {
        if (error instanceof PollerTermOverError) throw error;
        if (unavailabilityOf(error) !== null) {
          await pause(times.storeAgainMs, signal);
        } else {
          host.unexpected(error);
          await pause(pauses.next(), signal);
        }
      }
    }
    return false;
  }
}

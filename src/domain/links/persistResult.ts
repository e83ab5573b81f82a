import { setTimeout as delay } from "node:timers/promises";
import { unavailabilityOf } from "../../database/failures.js";
import type { Logger } from "../../log.js";
import type { Deadline, SendObserver, TelegramInviteLink } from "../../telegram/gateway.js";
import type { StorageGuard } from "../shared/databaseErrors.js";
import { DatabaseUnavailableError, TelegramUnavailableError } from "../shared/errors.js";
import type { PendingWork } from "../shared/pendingWork.js";

/** Pauses between the tries to store something, in milliseconds. Together they last as long as a database's restart. */
const RETRY_PAUSES_MS = [100, 500, 2000, 5000, 10_000];
/** While the database is unavailable, a result of Telegram's is tried again with this pause, for so long; milliseconds. */
const OUTAGE_PAUSE_MS = 3000;
const LONGEST_OUTAGE_MS = 3_600_000;
/**
 * How long storing is tried again while the server stops, in milliseconds. It leaves time for a last try: the process ends 25 s
 * after it took the last request.
 */
const STOPPING_MS = 11_000;
/** The shortest time for which a request waits for its result to be stored, in milliseconds, even after its deadline. */
const MIN_WAIT_MS = 1000;
/** The longest such time, in milliseconds: requests are answered within 15 s. */
const MAX_WAIT_MS = 10_000;
const NOT_STORED =
  "Telegram has carried out the request, but the server's database could not store the result in time. Do not repeat the request blindly: the result may be stored later.";
const NOT_READ =
  "Telegram has carried out the request, but the server's database failed before the result could be read. Do not repeat the request blindly.";
const TIMED_OUT = Symbol("timed out");

export interface PersistServices {
  readonly storageGuard: StorageGuard;
  readonly pendingWork: PendingWork;
}

/** The result cannot be stored, and another try would not change that. */
export class NotStorableError extends Error {
  override readonly name: string = "NotStorableError";
}

/** A result of Telegram's, and how it is stored. */
export interface ResultToPersist<T> {
  readonly store: () => Promise<T>;
  /** Called if the result could not be stored, to record that it is missing. Errors are ignored. */
  readonly giveUp: () => Promise<void>;
  /** Telegram's answer, for the log; null if a refusal showed what Telegram had done before. */
  readonly answer: TelegramInviteLink | null;
  /** Ids for the log. */
  readonly about: Record<string, unknown>;
}

/**
 * Tries work again for about 18 seconds, which is as long as a database takes to restart.
 * @param canRetry decides after a failed try whether another one may succeed.
 * @param isPatient whether to go on after that time.
 * @throws the error of the last try.
 */
export async function withRetries<T>(
  work: () => Promise<T>,
  canRetry: (error: unknown) => boolean,
  isPatient: (error: unknown) => boolean = () => false,
): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      const pause = RETRY_PAUSES_MS[tries] ?? (isPatient(error) ? OUTAGE_PAUSE_MS : null);
      if (pause === null || !canRetry(error)) throw error;
      await delay(pause);
    }
  }
}

/**
 * Stores a result of Telegram's, with retries: the Bot API cannot list a chat's links, so a result that is not stored is lost.
 * While the database is unavailable it goes on for an hour, or until shortly after the server was told to stop.
 * @throws TelegramUnavailableError with an unknown outcome, if the result could not be stored.
 */
export async function persistResult<T>(
  { store, giveUp, answer, about }: ResultToPersist<T>,
  log: Logger,
  { storageGuard, pendingWork }: PersistServices,
): Promise<T> {
  let isLogged = false;
  const until = performance.now() + LONGEST_OUTAGE_MS;
  const isOutage = (error: unknown) =>
    unavailabilityOf(error) !== null && performance.now() < until && pendingWork.stoppingMs < STOPPING_MS;
  const canRetry = (error: unknown) => {
    if (error instanceof NotStorableError) return false;
    storageGuard.recordFailure(error);
    if (isLogged) return true;
    isLogged = true;
    const reason = unavailabilityOf(error);
    // An unavailable database has a log line of its own. Any other error is a fault of this program and is logged whole.
    const cause = reason === null ? { err: error } : { database: reason };
    log.warn({ ...cause, ...about }, "storing a result of Telegram's failed and is tried again");
    return true;
  };
  try {
    return await withRetries(store, canRetry, isOutage);
  } catch (error) {
    log.fatal({ err: error, ...about, answer }, "a result of Telegram's could not be stored");
    await giveUp().catch(() => {});
    throw new TelegramUnavailableError(true, { message: NOT_STORED });
  }
}

/**
 * Waits for a result to be stored, for as long as its request can wait. Storing goes on after that.
 * @throws TelegramUnavailableError with an unknown outcome, if the time is up.
 */
export async function waitUntilDeadline<T>(stored: Promise<T>, deadline: Deadline): Promise<T> {
  const milliseconds = Math.min(MAX_WAIT_MS, Math.max(MIN_WAIT_MS, deadline.at - Date.now()));
  const timeout = delay(milliseconds, TIMED_OUT, { ref: false });
  const outcome = await Promise.race([stored, timeout]);
  if (outcome === TIMED_OUT)
    throw new TelegramUnavailableError(true, { timedOut: true, message: NOT_STORED });
  return outcome;
}

/**
 * Waits up to a second for an outcome to be stored, such as that a creation failed. Storing goes on after that. The
 * caller gets the outcome itself, not the errors of storing it.
 * @param storing the write with all its retries; its errors are ignored.
 */
export async function waitBriefly(storing: Promise<unknown>): Promise<void> {
  const timer = new AbortController();
  const ended = storing.then(
    () => {},
    () => {},
  );
  const timeout = delay(MIN_WAIT_MS, undefined, { ref: false, signal: timer.signal }).catch(() => {});
  await Promise.race([ended, timeout]);
  timer.abort();
}

/** The error for a request that Telegram has carried out and whose stored result then could not be read. */
export const resultUnreadable = (): TelegramUnavailableError =>
  new TelegramUnavailableError(true, { message: NOT_READ });

/**
 * Reads the result of an operation that Telegram has carried out.
 * @throws TelegramUnavailableError with an unknown outcome, if the database is not available: DatabaseUnavailableError
 * says that nothing was done, and the caller would repeat the operation.
 */
export async function readResult<T>(read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw unavailabilityOf(error) === null ? error : resultUnreadable();
  }
}

/** The time that a call to Telegram needs at least to be begun, in milliseconds. */
const MIN_CALL_MS = 20;
const hasTime = ({ at }: Deadline): boolean => at - Date.now() >= MIN_CALL_MS;

/**
 * Makes a request fail because of the database, and not of Telegram, if waiting for the database took all its time. Must be
 * called before the database is used. The returned function must be called afterwards, right before the call to Telegram.
 * @returns a function that throws DatabaseUnavailableError if there was time left before and none is left now.
 */
export function timeLimitOf(deadline: Deadline): () => void {
  const hadTime = hasTime(deadline);
  return () => {
    if (hadTime && !hasTime(deadline)) throw new DatabaseUnavailableError("timeout");
  };
}

/** For calls that can be repeated, whose tries need no record. */
export const UNRECORDED: SendObserver = { beforeSend: async () => {}, rateLimited: async () => {} };

/** Wraps `sending` so that no call begins whose result could not be stored or that has no time left. */
export const guardedSending = (
  sending: SendObserver,
  guard: StorageGuard,
  deadline: Deadline,
): SendObserver => ({
  beforeSend: async () => {
    guard.requireWritable();
    const requireTimeLeft = timeLimitOf(deadline);
    await sending.beforeSend();
    requireTimeLeft();
    // Another request may have found meanwhile that nothing can be stored.
    guard.requireWritable();
  },
  rateLimited: () => sending.rateLimited(),
});

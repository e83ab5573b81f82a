import { setTimeout as delay } from "node:timers/promises";
import { unavailabilityOf } from "../../database/failures.js";
import type { Logger } from "../../log.js";
import type { Deadline, SendObserver, TelegramInviteLink } from "../../telegram/gateway.js";
import type { StorageGuard } from "../shared/databaseErrors.js";
import { DatabaseUnavailableError, TelegramUnavailableError } from "../shared/errors.js";

/** The waits, in milliseconds, between tries: as long as a database takes to restart. */
const RETRIES_MS = [100, 500, 2000, 5000, 10_000];
/** How long a request waits for it at least, though Telegram took all the time there was. */
const GRACE_MS = 1000;
/** How long it waits at most: a request is answered within 15 s. */
const MOST_MS = 10_000;
/** What a caller is told where Telegram has done it and the database is what fails. */
const NOT_STORED =
  "Telegram has carried the request out, and the server's database could not store it in time. Do not repeat it blindly: it may be stored later.";
const NOT_READ =
  "Telegram has carried out what was asked for; the server's database failed before the whole could be answered. Do not repeat it blindly.";
const GAVE_UP = Symbol("gave up");

/** Trying again cannot store it. */
export class NotStorableError extends Error {
  override readonly name: string = "NotStorableError";
}

export interface Storing<T> {
  readonly store: () => Promise<T>;
  /** Called where it could not be stored, so that this at least is on record; what it throws is let be. */
  readonly giveUp: () => Promise<void>;
  /** What Telegram answered, for the log; null where that was a refusal that tells what it had done before. */
  readonly answer: TelegramInviteLink | null;
  readonly about: Record<string, unknown>;
}

/**
 * Tries again for as long as a database takes to come back.
 * @param mayHelp is asked after a try that failed: whether another one may help.
 * @throws what the last try threw.
 */
export async function withRetries<T>(
  work: () => Promise<T>,
  mayHelp: (error: unknown) => boolean,
): Promise<T> {
  for (const wait of RETRIES_MS) {
    try {
      return await work();
    } catch (error) {
      if (!mayHelp(error)) throw error;
      await delay(wait);
    }
  }
  return work();
}

/**
 * Stores what Telegram has done, whatever happens: it has no way to ask again which links there are.
 * @throws TelegramUnavailableError, with its outcome unknown, where that cannot be done.
 */
export async function persistResult<T>(
  { store, giveUp, answer, about }: Storing<T>,
  log: Logger,
  guard: StorageGuard,
): Promise<T> {
  let isTold = false;
  try {
    return await withRetries(store, (error) => {
      if (error instanceof NotStorableError) return false;
      guard.noteFailure(error);
      if (isTold) return true;
      isTold = true;
      const unavailability = unavailabilityOf(error);
      // What is the matter has a line of its own; a fault that nobody planned for is told with all there is.
      const why = unavailability === null ? { err: error } : { database: unavailability };
      log.warn({ ...why, ...about }, "storing what Telegram has done is tried again");
      return true;
    });
  } catch (error) {
    log.fatal({ err: error, ...about, answer }, "what Telegram has done could not be stored");
    await giveUp().catch(() => {});
    throw new TelegramUnavailableError(true, { message: NOT_STORED });
  }
}

/**
 * Waits for that as long as a request can; storing goes on after it.
 * @throws TelegramUnavailableError, with its outcome unknown.
 */
export async function waitUntilDeadline<T>(stored: Promise<T>, deadline: Deadline): Promise<T> {
  const milliseconds = Math.min(MOST_MS, Math.max(GRACE_MS, deadline.at - Date.now()));
  const gaveUp = delay(milliseconds, GAVE_UP, { ref: false });
  const outcome = await Promise.race([stored, gaveUp]);
  if (outcome === GAVE_UP) throw new TelegramUnavailableError(true, { timedOut: true, message: NOT_STORED });
  return outcome;
}

/**
 * What only notes how something ended, such as that a creation failed: tried until it succeeds, as long as a database
 * takes to come back, and waited for a moment alone, so that a caller hears of the end itself.
 * @param noting the whole of it, with its retries.
 */
export async function waitBriefly(noting: Promise<unknown>): Promise<void> {
  const moment = new AbortController();
  const ended = noting.then(
    () => {},
    () => {},
  );
  const over = delay(GRACE_MS, undefined, { ref: false, signal: moment.signal }).catch(() => {});
  await Promise.race([ended, over]);
  moment.abort();
}

/** What is told in place of the database's failure where Telegram has done something for a request. */
export const resultUnreadable = (): TelegramUnavailableError =>
  new TelegramUnavailableError(true, { message: NOT_READ });

/**
 * Reads what an operation came to, once Telegram has done it.
 * @throws TelegramUnavailableError, with its outcome unknown, where the database cannot be read: a caller who was told
 * of the database alone would repeat what was done.
 */
export async function readResult<T>(read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw unavailabilityOf(error) === null ? error : resultUnreadable();
  }
}

/** Milliseconds in which a call to Telegram can begin. */
const LEAST_MS = 20;
const hasTime = ({ at }: Deadline): boolean => at - Date.now() >= LEAST_MS;

/**
 * To be called before the database is waited for, with a call to Telegram to follow; what it returns, after that.
 * @returns throws DatabaseUnavailableError where that took all the time there was: Telegram did not keep anybody waiting.
 */
export function timeLimitOf(deadline: Deadline): () => void {
  const hadTime = hasTime(deadline);
  return () => {
    if (hadTime && !hasTime(deadline)) throw new DatabaseUnavailableError("timeout");
  };
}

/** As `sending`, and what could not be stored afterwards is not sent. */
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
    // Storing may have failed for another request meanwhile.
    guard.requireWritable();
  },
  rateLimited: () => sending.rateLimited(),
});

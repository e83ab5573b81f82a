import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "../../log.js";
import type { Deadline, TelegramInviteLink } from "../../telegram/gateway.js";
import { TelegramUnavailableError } from "../errors.js";

/** The waits, in milliseconds, between tries: as long as a database takes to restart. */
const RETRIES_MS = [100, 500, 2000, 5000, 10_000];
/** How long a request waits for it at least, though Telegram took all the time there was. */
const GRACE_MS = 1000;
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
export async function insist<T>(work: () => Promise<T>, mayHelp: (error: unknown) => boolean): Promise<T> {
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
export async function storeWhateverHappens<T>(
  { store, giveUp, answer, about }: Storing<T>,
  log: Logger,
): Promise<T> {
  try {
    return await insist(store, (error) => {
      if (error instanceof NotStorableError) return false;
      log.warn({ err: error, ...about }, "storing what Telegram has done is tried again");
      return true;
    });
  } catch (error) {
    log.fatal({ err: error, ...about, answer }, "what Telegram has done could not be stored");
    await giveUp().catch(() => {});
    throw new TelegramUnavailableError(true);
  }
}

/**
 * Waits for that as long as a request can; storing goes on after it.
 * @throws TelegramUnavailableError, with its outcome unknown.
 */
export async function inTime<T>(stored: Promise<T>, deadline: Deadline): Promise<T> {
  const gaveUp = delay(Math.max(GRACE_MS, deadline.at - Date.now()), GAVE_UP, { ref: false });
  const outcome = await Promise.race([stored, gaveUp]);
  if (outcome === GAVE_UP) throw new TelegramUnavailableError(true, { timedOut: true });
  return outcome;
}

import type { Unavailability } from "../../database/failures.js";

/** What went wrong, in the words of the contract's ErrorCode. */
export type ErrorCode =
  | "BAD_USER_INPUT"
  | "NOT_FOUND"
  | "FORBIDDEN"
  | "BOT_NOT_IN_CHANNEL"
  | "BOT_PERMISSION_MISSING"
  | "TELEGRAM_REJECTED"
  | "RATE_LIMITED"
  | "TELEGRAM_UNAVAILABLE"
  | "IDEMPOTENCY_CONFLICT"
  | "DATABASE_UNAVAILABLE";

/**
 * What a caller caused, or can do something about. Each door has one table that turns the kinds into its own form;
 * anything thrown that is not one of these is a bug, and is masked.
 */
export abstract class UserError extends Error {
  abstract readonly code: ErrorCode;
}

export interface FieldError {
  /** Path in the input: 'memberLimit' or 'tagIds.1'. */
  readonly field: string;
  readonly message: string;
}

export class ValidationError extends UserError {
  override readonly name = "ValidationError";
  readonly code = "BAD_USER_INPUT";
  readonly fieldErrors: readonly FieldError[];

  constructor(fieldErrors: readonly FieldError[]) {
    super(fieldErrors.map(({ field, message }) => `${field}: ${message}`).join(" "));
    this.fieldErrors = fieldErrors;
  }
}

export class NotFoundError extends UserError {
  override readonly name = "NotFoundError";
  readonly code = "NOT_FOUND";
  /** What there is none of: 'invite link'. */
  readonly what: string;

  constructor(what: string) {
    super(`There is no such ${what}.`);
    this.what = what;
  }
}

export class ForbiddenError extends UserError {
  override readonly name = "ForbiddenError";
  readonly code = "FORBIDDEN";
}

export class BotNotInChannelError extends UserError {
  override readonly name = "BotNotInChannelError";
  readonly code = "BOT_NOT_IN_CHANNEL";
  /** Null where a chat was named by an @username that Telegram does not know. */
  readonly channelId: number | null;

  constructor(channelId: number | null) {
    super(
      "The helper bot is not in the channel, or was removed from it. Add it as an administrator that may invite users.",
    );
    this.channelId = channelId;
  }
}

export class BotPermissionError extends UserError {
  override readonly name = "BotPermissionError";
  readonly code = "BOT_PERMISSION_MISSING";
  readonly channelId: number;

  constructor(channelId: number) {
    super(
      "The helper bot is in the channel without the right to invite users. Give its administrator that right.",
    );
    this.channelId = channelId;
  }
}

export class TelegramRejectedError extends UserError {
  override readonly name = "TelegramRejectedError";
  readonly code = "TELEGRAM_REJECTED";

  constructor(description: string) {
    super(`Telegram refused the request: ${description}`);
  }
}

interface UnavailableDetails {
  readonly timedOut?: boolean;
  /** Where it is not Telegram that keeps the outcome unknown. */
  readonly message?: string;
}

export class TelegramUnavailableError extends UserError {
  override readonly name = "TelegramUnavailableError";
  readonly code = "TELEGRAM_UNAVAILABLE";
  /** The request may have been carried out; nobody knows. */
  readonly outcomeUnknown: boolean;
  /** There was no answer in time, rather than one that is of no use, or a connection that failed. */
  readonly timedOut: boolean;

  constructor(outcomeUnknown: boolean, { timedOut = false, message }: UnavailableDetails = {}) {
    super(
      message ??
        (outcomeUnknown
          ? "Nobody knows whether Telegram carried the request out. It is not tried again blindly."
          : "Telegram cannot be used at the moment. Nothing was done; try again later."),
    );
    this.outcomeUnknown = outcomeUnknown;
    this.timedOut = timedOut;
  }
}

export class RateLimitedError extends UserError {
  override readonly name = "RateLimitedError";
  readonly code = "RATE_LIMITED";
  readonly retryAfterSeconds: number;

  constructor(retryAfterSeconds: number) {
    super(`Telegram or this server asks to wait ${retryAfterSeconds} s. Nothing was done; try again then.`);
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

export class IdempotencyConflictError extends UserError {
  override readonly name = "IdempotencyConflictError";
  readonly code = "IDEMPOTENCY_CONFLICT";
}

/** The message for callers, and how many seconds they should wait before they try again. */
const UNAVAILABILITIES: Readonly<
  Record<Unavailability, readonly [message: string, retryAfterSeconds: number]>
> = {
  unreachable: ["The server's database is away.", 5],
  busy: ["The server's database has no session to spare: it is too busy.", 2],
  // The transaction has been repeated already, as often as that makes sense.
  conflict: ["The server's database has no session to spare: it is too busy.", 2],
  timeout: ["The server's database did not answer in time.", 5],
  diskFull: ["The server's database is out of space and stores nothing.", 30],
  readOnly: ["The server's database is read-only at the moment and stores nothing.", 30],
};

/** The database cannot do what was asked for. Nothing was begun in Telegram that the answer does not tell of. */
export class DatabaseUnavailableError extends UserError {
  override readonly name = "DatabaseUnavailableError";
  readonly code = "DATABASE_UNAVAILABLE";
  readonly reason: Unavailability;
  readonly retryAfterSeconds: number;

  constructor(reason: Unavailability) {
    const [message, seconds] = UNAVAILABILITIES[reason];
    super(`${message} Try again later.`);
    this.reason = reason;
    this.retryAfterSeconds = seconds;
  }
}

const MAX_FIELD_ERRORS = 20;

/** Gathers all that is wrong with an input, so that a caller hears it at once. */
export class Problems {
  readonly #fieldErrors: FieldError[] = [];

  /** Those after the twentieth would only make the answer long. */
  add(field: string, message: string): void {
    if (this.#fieldErrors.length < MAX_FIELD_ERRORS) this.#fieldErrors.push({ field, message });
  }

  get all(): readonly FieldError[] {
    return this.#fieldErrors;
  }

  get found(): boolean {
    return this.#fieldErrors.length > 0;
  }

  /** @throws ValidationError where anything was added. */
  check(): void {
    if (this.found) throw new ValidationError(this.#fieldErrors);
  }
}

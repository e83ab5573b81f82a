import type { Unavailability } from "../../database/failures.js";

/** The kind of an error: the values of the contract's ErrorCode. */
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
 * An error that a caller caused or can do something about. Each face has one table that turns these errors into its own
 * form. Any other error is a fault of this program, and is masked.
 */
export abstract class UserError extends Error {
  abstract readonly code: ErrorCode;
}

export interface FieldError {
  /** Path in GraphQL's input, such as 'memberLimit' or 'tagIds.1'; REST translates it in http/rest/errors.ts. */
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
  /** The kind of thing that was not found, such as 'invite link'. */
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
  /** Null if the chat was named by an @username that Telegram does not know. */
  readonly chatId: number | null;

  constructor(chatId: number | null) {
    super(
      "The helper bot is not in the channel, or was removed from it. Add it as an administrator that may invite users.",
    );
    this.chatId = chatId;
  }
}

export class BotPermissionError extends UserError {
  override readonly name = "BotPermissionError";
  readonly code = "BOT_PERMISSION_MISSING";
  readonly chatId: number;

  constructor(chatId: number) {
    super(
      "The helper bot is in the channel without the right to invite users. Give its administrator that right.",
    );
    this.chatId = chatId;
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
  /** Replaces the usual message if the outcome is unknown for another reason than a missing answer of Telegram. */
  readonly message?: string;
}

export class TelegramUnavailableError extends UserError {
  override readonly name = "TelegramUnavailableError";
  readonly code = "TELEGRAM_UNAVAILABLE";
  /** Whether the request may have been carried out. False: nothing was done. */
  readonly outcomeUnknown: boolean;
  /** Whether the time was up; false if the answer was not usable or the connection failed. */
  readonly timedOut: boolean;

  constructor(outcomeUnknown: boolean, { timedOut = false, message }: UnavailableDetails = {}) {
    super(
      message ??
        (outcomeUnknown
          ? "It is not known whether Telegram carried out the request. The server does not repeat it blindly."
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

  constructor(
    retryAfterSeconds: number,
    message = `Telegram or this server asks to wait ${retryAfterSeconds} s. Nothing was done; try again then.`,
  ) {
    super(message);
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
  unreachable: ["The server's database cannot be reached.", 5],
  busy: ["The server's database is too busy and has no free session.", 2],
  // The transaction has already been repeated as often as is useful.
  conflict: ["The server's database is too busy and has no free session.", 2],
  timeout: ["The server's database did not answer in time.", 5],
  diskFull: ["The server's database is out of space and stores nothing.", 30],
  readOnly: ["The server's database is read-only at the moment and stores nothing.", 30],
};

/** The database cannot do what the request needs. Nothing was done in Telegram. */
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

/** Collects all errors of an input, so that a caller sees all of them at once. */
export class Problems {
  readonly #fieldErrors: FieldError[];
  readonly #path: string;

  constructor(fieldErrors: FieldError[] = [], path = "") {
    this.#fieldErrors = fieldErrors;
    this.#path = path;
  }

  /** The same problems, for the fields of an object in the input: `path` is put before their names. */
  under(path: string): Problems {
    return new Problems(this.#fieldErrors, `${this.#path}${path}.`);
  }

  /** Errors after the twentieth are dropped: they would only make the answer long. */
  add(field: string, message: string): void {
    if (this.isFull) return;
    this.#fieldErrors.push({ field: `${this.#path}${field}`, message });
  }

  /** Whether no further error is kept. */
  get isFull(): boolean {
    return this.#fieldErrors.length >= MAX_FIELD_ERRORS;
  }

  get all(): readonly FieldError[] {
    return this.#fieldErrors;
  }

  get found(): boolean {
    return this.#fieldErrors.length > 0;
  }

  /** @throws ValidationError if anything was added. */
  check(): void {
    if (this.found) throw new ValidationError(this.#fieldErrors);
  }
}

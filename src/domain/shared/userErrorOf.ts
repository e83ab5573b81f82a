import { TelegramCallError, type TelegramFailure } from "../../telegram/failures.js";
import {
  BotNotInChannelError,
  BotPermissionError,
  RateLimitedError,
  TelegramRejectedError,
  TelegramUnavailableError,
  type UserError,
  ValidationError,
} from "./errors.js";

/**
 * The error that a caller is shown for a failed call to Telegram.
 * @param chatId the chat that the call was about.
 */
export function userErrorOf(failure: TelegramFailure, chatId: number): UserError {
  switch (failure.kind) {
    case "notInChat":
      return new BotNotInChannelError(chatId);
    case "missingRights":
      return new BotPermissionError(chatId);
    case "invalidValue":
      return new ValidationError([
        { field: failure.value, message: `Telegram refused it: ${failure.description}` },
      ]);
    case "tooManyRequests":
      return new RateLimitedError(failure.retryAfterSeconds);
    case "noUsableLink":
    case "noRequest":
    case "alreadyMember":
    case "rejected":
      return new TelegramRejectedError(failure.description);
    case "migrated":
      return new TelegramRejectedError("the chat has got another id more than once");
    case "unauthorized":
      return new TelegramUnavailableError(false);
    case "unavailable":
      return new TelegramUnavailableError(failure.carriedOut === "maybe", {
        timedOut: failure.timedOut ?? false,
      });
  }
}

/**
 * The error that a caller is shown for a failed call that changes nothing in Telegram: its outcome is never unknown. Errors of
 * other kinds are returned unchanged.
 */
export function errorOfInquiry(error: unknown, chatId: number): unknown {
  if (!(error instanceof TelegramCallError)) return error;
  const shown = userErrorOf(error.failure, chatId);
  return shown instanceof TelegramUnavailableError ? new TelegramUnavailableError(false, shown) : shown;
}

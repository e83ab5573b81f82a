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
 * What a failed call means to the caller.
 * @param chatId of the chat that the call was about.
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

/** As userErrorOf, for a call that only asks: whatever became of it, nothing was done. Other errors stay as they are. */
export function errorOfInquiry(error: unknown, chatId: number): unknown {
  if (!(error instanceof TelegramCallError)) return error;
  const meant = userErrorOf(error.failure, chatId);
  return meant instanceof TelegramUnavailableError ? new TelegramUnavailableError(false, meant) : meant;
}

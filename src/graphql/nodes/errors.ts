import { brandWithType, getTypeBrand } from "@pothos/core";
import {
  BotNotInChannelError,
  BotPermissionError,
  type ErrorCode,
  ForbiddenError,
  IdempotencyConflictError,
  NotFoundError,
  RateLimitedError,
  TelegramRejectedError,
  TelegramUnavailableError,
  type UserError,
  ValidationError,
} from "../../domain/shared/errors.js";
import { builder } from "../builder/builder.js";

const CODES: Record<ErrorCode, string> = {
  BAD_USER_INPUT: "An argument is not acceptable; see fieldErrors. REST answers 422.",
  NOT_FOUND: "The object does not exist, or the token may not see it. REST answers 404.",
  FORBIDDEN: "The token may not do this, or not in this channel. REST answers 403.",
  BOT_NOT_IN_CHANNEL: "The helper bot is not in the channel, or was removed from it. REST answers 409.",
  BOT_PERMISSION_MISSING:
    "The helper bot is in the channel without the right to invite users. REST answers 403.",
  TELEGRAM_REJECTED:
    "Telegram refused the request for another reason, which the message states. REST answers 400.",
  RATE_LIMITED:
    "Telegram or this server limits the rate of requests; see retryAfterSeconds. REST answers 429.",
  TELEGRAM_UNAVAILABLE:
    "Telegram could not be reached, or did not answer in time; see outcomeUnknown. REST answers 502 or 504.",
  IDEMPOTENCY_CONFLICT:
    "Another request with the same idempotency key is in progress, or had other arguments. REST answers 409.",
  DATABASE_UNAVAILABLE:
    "The server's database is unavailable. Nothing was done that the response does not mention. This is a top-level error with status 503 and Retry-After, for mutations as well as for queries.",
};

// The errors that mutations return, as GraphQL types: the one table from the domain's errors to GraphQL.

const code = builder.enumType("ErrorCode", {
  description: "The kind of an error, for programs.",
  values: Object.fromEntries(
    Object.entries(CODES).map(([name, description]) => [name, { description }]),
  ) as Record<ErrorCode, { description: string }>,
});
export const UserErrorRef = builder.interfaceRef<UserError>("UserError").implement({
  description:
    "An error that the caller has caused, or can do something about. The result of each mutation is a union of its success type and the errors it can return.",
  fields: (t) => ({
    code: t.expose("code", { type: code, description: "The kind of the error, for programs." }),
    message: t.exposeString("message", { description: "A description of the error for people." }),
  }),
});
const fieldError = builder.objectRef<ValidationError["fieldErrors"][number]>("FieldError").implement({
  description: "An error in one field of the input.",
  fields: (t) => ({
    field: t.exposeString("field", {
      description: "The field's path in the input, such as 'memberLimit' or 'tagIds.1'.",
    }),
    message: t.exposeString("message", { description: "A description of the error for people." }),
  }),
});

const isA = (type: abstract new (...args: never[]) => UserError) => (value: unknown) =>
  value instanceof type || getTypeBrand(value) === type;

/** An error as the value of a field. GraphQL would take the error itself for a failure of the field. */
export function errorValue(error: UserError): UserError {
  const value: UserError = { ...error, message: error.message };
  brandWithType(value, error.constructor as never);
  return value;
}

builder.objectType(ValidationError, {
  name: "ValidationError",
  isTypeOf: isA(ValidationError),
  description: "The input is well-formed but not acceptable.",
  interfaces: [UserErrorRef],
  fields: (t) => ({
    fieldErrors: t.field({
      type: [fieldError],
      description: "All errors of the input, at most 20.",
      resolve: (error) => error.fieldErrors,
    }),
  }),
});
builder.objectType(NotFoundError, {
  name: "NotFoundError",
  isTypeOf: isA(NotFoundError),
  description: "The object does not exist, or the token may not see it.",
  interfaces: [UserErrorRef],
});
builder.objectType(ForbiddenError, {
  name: "ForbiddenError",
  isTypeOf: isA(ForbiddenError),
  description: "The token may not do this, or not in this channel.",
  interfaces: [UserErrorRef],
});
builder.objectType(BotNotInChannelError, {
  name: "BotNotInChannelError",
  isTypeOf: isA(BotNotInChannelError),
  description: "The helper bot is not in the channel, or was removed from it.",
  interfaces: [UserErrorRef],
  fields: (t) => ({
    channelId: t.field({
      type: "TelegramID",
      nullable: true,
      description:
        "The channel's Telegram chat id; null if the chat was named by an @username that Telegram does not know.",
      resolve: (error) => error.chatId,
    }),
  }),
});
builder.objectType(BotPermissionError, {
  name: "BotPermissionError",
  isTypeOf: isA(BotPermissionError),
  description: "The helper bot is in the channel without the right to invite users.",
  interfaces: [UserErrorRef],
  fields: (t) => ({
    channelId: t.field({
      type: "TelegramID",
      // Never null, but nullable like BotNotInChannelError.channelId, so that one document can select both.
      nullable: true,
      description: "The channel's Telegram chat id.",
      resolve: (error) => error.chatId,
    }),
  }),
});
builder.objectType(TelegramRejectedError, {
  name: "TelegramRejectedError",
  isTypeOf: isA(TelegramRejectedError),
  description: "Telegram refused the request. The message states the reason.",
  interfaces: [UserErrorRef],
});
builder.objectType(TelegramUnavailableError, {
  name: "TelegramUnavailableError",
  isTypeOf: isA(TelegramUnavailableError),
  description: "Telegram could not be reached, or did not answer in time.",
  interfaces: [UserErrorRef],
  fields: (t) => ({
    outcomeUnknown: t.exposeBoolean("outcomeUnknown", {
      description:
        "True if the request may have reached Telegram, so that it is unknown whether Telegram carried it out. The server does not repeat such a request by itself.",
    }),
  }),
});
builder.objectType(RateLimitedError, {
  name: "RateLimitedError",
  isTypeOf: isA(RateLimitedError),
  description:
    "Telegram asks to wait for longer than a request may take, or too many calls are waiting already. Nothing was done.",
  interfaces: [UserErrorRef],
  fields: (t) => ({
    retryAfterSeconds: t.exposeInt("retryAfterSeconds", {
      description: "The time to wait before the next try, in seconds.",
    }),
  }),
});
builder.objectType(IdempotencyConflictError, {
  name: "IdempotencyConflictError",
  isTypeOf: isA(IdempotencyConflictError),
  description: "Another request with the same idempotency key is in progress, or had other arguments.",
  interfaces: [UserErrorRef],
});

/** The errors that any mutation can return. */
export const COMMON_ERRORS = [ValidationError, ForbiddenError] as const;
/** The errors that a mutation can return in addition if it calls Telegram. */
export const TELEGRAM_ERRORS = [
  BotNotInChannelError,
  TelegramRejectedError,
  TelegramUnavailableError,
  RateLimitedError,
] as const;

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
  BAD_USER_INPUT: "An argument is not acceptable; see fieldErrors. (In REST: 422)",
  NOT_FOUND: "There is no such thing, or the token may not see it. (404)",
  FORBIDDEN: "This token may not do this, or not in this channel. (403)",
  BOT_NOT_IN_CHANNEL: "The helper bot is not in the channel, or was removed from it. (409)",
  BOT_PERMISSION_MISSING: "The helper bot is in the channel without the right to invite users. (403)",
  TELEGRAM_REJECTED: "Telegram refused the request for another reason, given in the message. (400)",
  RATE_LIMITED: "Telegram or this server asks to wait; see retryAfterSeconds. (429)",
  TELEGRAM_UNAVAILABLE:
    "Telegram could not be reached, or did not answer in time; see outcomeUnknown. (502, 504)",
  IDEMPOTENCY_CONFLICT:
    "Another request with the same idempotency key is under way, or was made with other arguments. (409)",
  DATABASE_UNAVAILABLE:
    "This server's database is away; nothing was begun that the answer does not tell of. For mutations as for queries a top-level error, with Retry-After. (503)",
};

// The errors that a mutation can give, as types of the graph: the one table from the domain's kinds to these.

const code = builder.enumType("ErrorCode", {
  description: "What went wrong, for a program to decide by.",
  values: Object.fromEntries(
    Object.entries(CODES).map(([name, description]) => [name, { description }]),
  ) as Record<ErrorCode, { description: string }>,
});
const userError = builder.interfaceRef<UserError>("UserError").implement({
  description:
    "What went wrong and can be told to a person. Every mutation's result is a union of its success type and the errors it can give.",
  fields: (t) => ({
    code: t.field({
      type: code,
      description: "What went wrong, for a program.",
      resolve: (error) => error.code,
    }),
    message: t.exposeString("message", { description: "What went wrong, for a person." }),
  }),
});
const fieldError = builder.objectRef<ValidationError["fieldErrors"][number]>("FieldError").implement({
  description: "What is wrong with one part of the input.",
  fields: (t) => ({
    field: t.exposeString("field", { description: "Its path in the input: 'memberLimit' or 'tagIds.1'." }),
    message: t.exposeString("message", { description: "What is wrong with it, for a person." }),
  }),
});

builder.objectType(ValidationError, {
  name: "ValidationError",
  description: "The input is well-formed, but not acceptable.",
  interfaces: [userError],
  fields: (t) => ({
    fieldErrors: t.field({
      type: [fieldError],
      description: "Everything that is wrong with it, at once.",
      resolve: (error) => error.fieldErrors,
    }),
  }),
});
builder.objectType(NotFoundError, {
  name: "NotFoundError",
  description: "There is no such thing, or the token may not see it.",
  interfaces: [userError],
});
builder.objectType(ForbiddenError, {
  name: "ForbiddenError",
  description: "This token may not do this, or not in this channel.",
  interfaces: [userError],
});
builder.objectType(BotNotInChannelError, {
  name: "BotNotInChannelError",
  description: "The helper bot is not in the channel, or was removed from it.",
  interfaces: [userError],
  fields: (t) => ({
    channelId: t.field({
      type: "TelegramID",
      nullable: true,
      description: "Null where a chat was named by its @username and Telegram knows none.",
      resolve: (error) => error.chatId,
    }),
  }),
});
builder.objectType(BotPermissionError, {
  name: "BotPermissionError",
  description: "The helper bot is in the channel without the right to invite users.",
  interfaces: [userError],
  fields: (t) => ({
    channelId: t.field({
      type: "TelegramID",
      // Never null, but of the same type as BotNotInChannelError's, so that one document can ask for both.
      nullable: true,
      description: "The channel's Telegram chat id.",
      resolve: (error) => error.chatId,
    }),
  }),
});
builder.objectType(TelegramRejectedError, {
  name: "TelegramRejectedError",
  description: "Telegram refused the request; the message says why.",
  interfaces: [userError],
});
builder.objectType(TelegramUnavailableError, {
  name: "TelegramUnavailableError",
  description: "Telegram could not be reached, or did not answer in time.",
  interfaces: [userError],
  fields: (t) => ({
    outcomeUnknown: t.exposeBoolean("outcomeUnknown", {
      description:
        "True where the request may have reached Telegram, so that nobody knows whether it was carried out. Never tried again blindly.",
    }),
  }),
});
builder.objectType(RateLimitedError, {
  name: "RateLimitedError",
  description:
    "Telegram asks to wait longer than a request lasts, or too many calls to it wait already. Nothing was done.",
  interfaces: [userError],
  fields: (t) => ({
    retryAfterSeconds: t.exposeInt("retryAfterSeconds", { description: "When to try again." }),
  }),
});
builder.objectType(IdempotencyConflictError, {
  name: "IdempotencyConflictError",
  description:
    "Another request with the same idempotency key is under way, or was made with other arguments.",
  interfaces: [userError],
});

/** What any mutation can give. */
export const COMMON_ERRORS = [ValidationError, ForbiddenError] as const;
/** What a mutation that asks Telegram can give besides. */
export const TELEGRAM_ERRORS = [
  BotNotInChannelError,
  TelegramRejectedError,
  TelegramUnavailableError,
  RateLimitedError,
] as const;

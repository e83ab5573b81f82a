import { TelegramError } from "telegraf";
import { MAX_TELEGRAM_ID } from "../parsers/telegramId.js";
import { isUnsentError } from "./unsentErrors.js";

/**
 * Why a call to Telegram gave no result, in Telegram's terms. The domain turns a failure into a user error. Messages of
 * Telegraf are not kept, because some contain the bot token.
 */
export type TelegramFailure =
  /** 401: the bot token is not valid. 404: the token is malformed, or the API root is not that of a Bot API server. */
  | { readonly kind: "unauthorized"; readonly status: 401 | 404 }
  /** The chat is unknown to the bot, or the bot is not in it. */
  | { readonly kind: "notInChat" }
  | { readonly kind: "missingRights" }
  /** Telegram rejected a value that passed our own checks. */
  | {
      readonly kind: "invalidValue";
      readonly value: "memberLimit" | "expireDate";
      readonly description: string;
    }
  | { readonly kind: "migrated"; readonly toChatId: number }
  | { readonly kind: "tooManyRequests"; readonly retryAfterSeconds: number }
  /** The link is revoked or deleted, or it belongs to another administrator. */
  | { readonly kind: "noUsableLink"; readonly description: string }
  /** There is no request to join of this person any more. */
  | { readonly kind: "noRequest"; readonly description: string }
  /** The person who asked to join is in the chat. */
  | { readonly kind: "alreadyMember"; readonly description: string }
  | { readonly kind: "rejected"; readonly description: string }
  /** No usable answer. `carriedOut`: whether the call may have taken effect. */
  | {
      readonly kind: "unavailable";
      readonly carriedOut: "no" | "maybe";
      readonly reason: string;
      /** The time limit or the deadline passed. */
      readonly timedOut?: true;
    };

export class TelegramCallError extends Error {
  override readonly name = "TelegramCallError";
  readonly failure: TelegramFailure;

  constructor(method: string, failure: TelegramFailure) {
    super(`${method}: ${failure.kind}`);
    this.failure = failure;
  }
}

/** Further facts about a failed call. */
export interface FailedCall {
  readonly chatId: unknown;
  /** The HTTP status; undefined without an answer. */
  readonly status: number | undefined;
  /** Makes a text of Telegram safe to show. */
  readonly showable: (text: string) => string;
}

/** Texts of Telegram's server, in the order of its checks in createChatInviteLink. */
const NOT_IN_CHAT = /chat not found|bot was kicked from|bot is not a member of/i;
const MISSING_RIGHTS = /not enough rights|CHAT_ADMIN_REQUIRED/i;
const MEMBER_LIMIT = /USAGE_LIMIT_INVALID|member limit can't be specified/i;
const EXPIRE_DATE = /EXPIRE_DATE_INVALID/i;
/** A 404 of a Bot API server that knows the token but is older than the method. */
const UNKNOWN_METHOD = /method not found/i;
const NO_USABLE_LINK = /INVITE_HASH_EXPIRED/i;
const NO_REQUEST = /HIDE_REQUESTER_MISSING/i;
const ALREADY_MEMBER = /USER_ALREADY_PARTICIPANT/i;

/** The longest wait: a day, so that a wrong value cannot stop the bot for good. Telegram can repeat its 429 after a day. */
const MAX_RETRY_SECONDS = 86_400;

function retryAfter(given: unknown, description: string): number {
  const seconds = Number(given ?? /retry after (\d+)/i.exec(description)?.[1] ?? 1);
  return Number.isNaN(seconds) ? 1 : Math.min(Math.max(1, Math.ceil(seconds)), MAX_RETRY_SECONDS);
}

/** A chat migrates to a supergroup, whose id is negative. */
const isOtherChat = (id: unknown, chatId: unknown): id is number =>
  typeof id === "number" && Number.isInteger(id) && id < 0 && id >= -MAX_TELEGRAM_ID && id !== chatId;

function fromAnswer(error: TelegramError, { chatId, showable }: FailedCall): TelegramFailure {
  const { code, parameters } = error;
  const description = showable(String(error.description ?? "no description"));
  const migratedTo: unknown = parameters?.migrate_to_chat_id;
  if (typeof code !== "number" || code < 400 || code >= 500) {
    return { kind: "unavailable", carriedOut: "maybe", reason: `answered ${code ?? "without a code"}` };
  }
  if (code === 401 || (code === 404 && !UNKNOWN_METHOD.test(description))) {
    return { kind: "unauthorized", status: code };
  }
  if (code === 429) {
    return { kind: "tooManyRequests", retryAfterSeconds: retryAfter(parameters?.retry_after, description) };
  }
  if (isOtherChat(migratedTo, chatId)) return { kind: "migrated", toChatId: migratedTo };
  if (NOT_IN_CHAT.test(description)) return { kind: "notInChat" };
  if (MISSING_RIGHTS.test(description)) return { kind: "missingRights" };
  if (MEMBER_LIMIT.test(description)) return { kind: "invalidValue", value: "memberLimit", description };
  if (EXPIRE_DATE.test(description)) return { kind: "invalidValue", value: "expireDate", description };
  if (NO_USABLE_LINK.test(description)) return { kind: "noUsableLink", description };
  if (NO_REQUEST.test(description)) return { kind: "noRequest", description };
  if (ALREADY_MEMBER.test(description)) return { kind: "alreadyMember", description };
  return { kind: "rejected", description };
}

/** Interprets an answer that is not JSON and comes from a proxy or another server. */
function fromStatus(status: number): TelegramFailure {
  if (status === 401 || status === 404) return { kind: "unauthorized", status };
  if (status === 429) return { kind: "tooManyRequests", retryAfterSeconds: 1 };
  if (status >= 400 && status < 500)
    return { kind: "rejected", description: `HTTP status ${status}, without a reason` };
  return { kind: "unavailable", carriedOut: "maybe", reason: `answered ${status} without JSON` };
}

/** Interprets an error of Telegraf or of the HTTP client below it. */
export function toFailure(error: unknown, call: FailedCall): TelegramFailure {
  if (error instanceof TelegramError) return fromAnswer(error, call);
  if (call.status !== undefined) return fromStatus(call.status);
  const { code, type, name } = error as { code?: unknown; type?: unknown; name?: unknown };
  const reason = [name, type, code].filter((part) => typeof part === "string").join(" ");
  return {
    kind: "unavailable",
    carriedOut: isUnsentError(code) ? "no" : "maybe",
    reason: reason === "" ? "unknown" : reason,
    ...(name === "AbortError" && { timedOut: true as const }),
  };
}

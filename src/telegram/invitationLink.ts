import { parseChatWithTopic } from "../parsers/telegramId.js";
import { readArgument, toExpireDate } from "./dates.js";
import { sendSingleCall } from "./singleCall.js";

export interface InvitationLinkOptions {
  /** The bot's token; the bot must be an administrator of the chat that may invite users. */
  readonly token: string;
  /** An id, an @username, or "ID*TopicID". The topic is ignored, because links belong to the whole chat. */
  readonly chat: number | string;
  /** Sent unchanged. Telegram cleans the title and truncates it to 32 characters. Empty for no title. */
  readonly title?: string | undefined;
  /** A Date, an ISO date or date-time (UTC unless it has an offset) or Unix seconds. Empty or absent for no expiry. */
  readonly expire?: Date | string | number | undefined;
  /** How many members who joined by the link may be in the chat at once. 0 or absent for no limit. */
  readonly limit?: number | undefined;
  /** The Bot API server, default https://api.telegram.org. A path is kept. */
  readonly apiRoot?: string | undefined;
  /** Aborts the call; replaces the time limit of ten seconds. */
  readonly signal?: AbortSignal | undefined;
}

/** A link as Telegram describes it: https://core.telegram.org/bots/api#chatinvitelink */
export interface ChatInviteLink {
  readonly invite_link: string;
  readonly creator: {
    readonly id: number;
    readonly is_bot: boolean;
    readonly first_name: string;
    readonly last_name?: string;
    readonly username?: string;
  };
  readonly creates_join_request: boolean;
  readonly is_primary: boolean;
  readonly is_revoked: boolean;
  readonly name?: string;
  /** Unix seconds. */
  readonly expire_date?: number;
  readonly member_limit?: number;
  readonly pending_join_request_count?: number;
  /** Seconds. */
  readonly subscription_period?: number;
  /** Telegram Stars. */
  readonly subscription_price?: number;
}

/** Telegram's whole answer. `ok` distinguishes a result from an error. */
export type TelegramAnswer =
  | { readonly ok: true; readonly result: ChatInviteLink }
  | {
      readonly ok: false;
      readonly error_code: number;
      readonly description: string;
      readonly parameters?: {
        /** The chat's new id. */
        readonly migrate_to_chat_id?: number;
        /** Seconds to wait before the next try. */
        readonly retry_after?: number;
      };
    };

export const API_ROOT = "https://api.telegram.org";
const TIME_LIMIT_MS = 10_000;
/** Telegram reads a limit with 32 bits. Telegram itself rejects far smaller limits. */
const MAX_LIMIT = 2 ** 31 - 1;

function checkToken(token: unknown): string {
  if (typeof token !== "string") throw new TypeError("token must be a text");
  if (!/^[\w:-]+$/.test(token))
    throw new RangeError("token must be a bot token as BotFather gives it, 123456789:AA…");
  return token;
}

function checkChat(chat: unknown): number | string {
  if (typeof chat !== "string" && typeof chat !== "number")
    throw new TypeError("chat must be a text or a number");
  return readArgument("chat", () => parseChatWithTopic(String(chat)).id);
}

function checkTitle(title: unknown): string {
  if (typeof title !== "string") throw new TypeError("title must be a text");
  return title;
}

function checkExpire(expire: unknown): number | undefined {
  if (expire === "") return undefined;
  if (typeof expire === "string" || typeof expire === "number" || expire instanceof Date)
    return toExpireDate(expire);
  throw new TypeError("expire must be a Date, an ISO text or Unix seconds");
}

function checkLimit(limit: unknown): number {
  if (typeof limit !== "number") throw new TypeError("limit must be a number");
  if (!Number.isInteger(limit) || limit < 0 || limit > MAX_LIMIT) {
    throw new RangeError(`limit must be a whole number from 0 to ${MAX_LIMIT}`);
  }
  return limit;
}

function checkApiRoot(apiRoot: unknown): string {
  if (typeof apiRoot !== "string") throw new TypeError("apiRoot must be a text");
  const url = URL.canParse(apiRoot) ? new URL(apiRoot) : null;
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash) {
    throw new RangeError(
      "apiRoot must be the http(s) address of a Bot API server, without credentials or a query",
    );
  }
  return url.origin + url.pathname;
}

function isAnswer(value: unknown): value is TelegramAnswer {
  const { ok, result, error_code, description } = (value ?? {}) as Record<string, unknown>;
  if (ok === true) return typeof (result as ChatInviteLink | null | undefined)?.invite_link === "string";
  return ok === false && typeof error_code === "number" && typeof description === "string";
}

/**
 * Creates an invite link with a bot by one call of Telegram's createChatInviteLink, without a server or a database. A
 * call that Telegram rejects gives an answer with `ok` false.
 * @throws TypeError, RangeError for arguments that cannot be sent; nothing is sent then.
 * @throws TelegramConnectionError without an answer. Its `outcomeUnknown` says whether the link may exist nevertheless.
 */
export async function createInvitationLink(options: InvitationLinkOptions): Promise<TelegramAnswer> {
  const { title = "", expire = "", limit = 0, apiRoot = API_ROOT } = options;
  return sendSingleCall({
    token: checkToken(options.token),
    apiRoot: checkApiRoot(apiRoot),
    method: "createChatInviteLink",
    payload: {
      chat_id: checkChat(options.chat),
      name: checkTitle(title) || undefined,
      expire_date: checkExpire(expire),
      member_limit: checkLimit(limit) || undefined,
    },
    signal: options.signal ?? AbortSignal.timeout(TIME_LIMIT_MS),
    isAnswer,
  });
}

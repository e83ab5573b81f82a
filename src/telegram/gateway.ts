import { setTimeout as delay } from "node:timers/promises";
import { Telegram } from "telegraf";
import * as z from "zod";
import { TelegramCallError, toFailure } from "./failures.js";

const telegramId = z.number().int().refine(Number.isSafeInteger);

const chat = z.object({
  id: telegramId,
  type: z.enum(["private", "group", "supergroup", "channel"]),
  title: z.string().optional(),
  username: z.string().optional(),
});

const user = z.object({ id: telegramId, username: z.string().optional() });

const chatMember = z.object({
  status: z.string(),
  can_invite_users: z.boolean().optional(),
});

const inviteLink = z.object({
  invite_link: z.string().min(1),
  creator: z.object({ id: telegramId }).optional(),
  name: z.string().optional(),
  creates_join_request: z.boolean().optional(),
  expire_date: z.number().int().nonnegative().optional(),
  member_limit: z.number().int().nonnegative().optional(),
  subscription_price: z.number().int().positive().optional(),
});

export type TelegramChat = z.infer<typeof chat>;
export type TelegramInviteLink = z.infer<typeof inviteLink>;

/** What the bot may do in a chat, as far as links go. */
export type BotStanding = "ready" | "missingRights" | "notInChat";

/** The settings of a link, in Telegram's terms: a date in Unix seconds, null for none. */
export interface LinkSettings {
  readonly name: string;
  readonly createsJoinRequest: boolean;
  readonly expireDate: number | null;
  readonly memberLimit: number | null;
}

/** How long something may take: calls give up, and no wait is begun that would end after it. */
export interface Deadline {
  /** As of Date.now(), in milliseconds. */
  readonly at: number;
}

export interface CallEvent {
  readonly method: string;
  readonly milliseconds: number;
  /** The failure's kind, with what is known of its reason; null for a result. */
  readonly failure: string | null;
}

export interface GatewayOptions {
  readonly token: string;
  readonly botId: number;
  readonly apiRoot: string;
  /** For one call, in milliseconds. */
  readonly timeoutMs: number;
  readonly onCall: (event: CallEvent) => void;
}

/** Milliseconds in which no answer can be expected. */
const LEAST_MS = 20;

/**
 * The Bot API. Every call has an end: after `timeoutMs`, or at the deadline given. A 429 is waited out where the
 * deadline allows it. All failures are TelegramCallErrors.
 */
export class TelegramGateway {
  readonly botId: number;
  readonly #telegram: Telegram;
  readonly #timeoutMs: number;
  readonly #onCall: (event: CallEvent) => void;

  constructor({ token, botId, apiRoot, timeoutMs, onCall }: GatewayOptions) {
    this.botId = botId;
    this.#telegram = new Telegram(token, { apiRoot: apiRoot.endsWith("/") ? apiRoot : `${apiRoot}/` });
    this.#timeoutMs = timeoutMs;
    this.#onCall = onCall;
  }

  /** How long a whole mutation may wait for Telegram: its calls, their turn and a 429. */
  deadline(): Deadline {
    return { at: Date.now() + this.#timeoutMs * 1.5 };
  }

  async getMe(deadline = this.deadline()) {
    return this.#call("getMe", {}, user, deadline);
  }

  /** @param chatId an id, or an @username. */
  async getChat(chatId: number | string, deadline: Deadline): Promise<TelegramChat> {
    return this.#call("getChat", { chat_id: chatId }, chat, deadline);
  }

  async botStanding(chatId: number, deadline: Deadline): Promise<BotStanding> {
    const member = await this.#call(
      "getChatMember",
      { chat_id: chatId, user_id: this.botId },
      chatMember,
      deadline,
    );
    switch (member.status) {
      case "creator":
        return "ready";
      case "administrator":
        return member.can_invite_users === true ? "ready" : "missingRights";
      case "left":
      case "kicked":
        return "notInChat";
      default:
        return "missingRights";
    }
  }

  async createInviteLink(
    chatId: number,
    settings: LinkSettings,
    deadline: Deadline,
  ): Promise<TelegramInviteLink> {
    const { name, createsJoinRequest, expireDate, memberLimit } = settings;
    const payload = {
      chat_id: chatId,
      name,
      expire_date: expireDate ?? undefined,
      member_limit: memberLimit ?? undefined,
      creates_join_request: createsJoinRequest,
    };
    return this.#call("createChatInviteLink", payload, inviteLink, deadline);
  }

  /** @param price Stars a month. @param periodSeconds 2592000. */
  async createSubscriptionInviteLink(
    chatId: number,
    link: { readonly name: string; readonly price: number; readonly periodSeconds: number },
    deadline: Deadline,
  ): Promise<TelegramInviteLink> {
    const payload = {
      chat_id: chatId,
      name: link.name,
      subscription_period: link.periodSeconds,
      subscription_price: link.price,
    };
    return this.#call("createChatSubscriptionInviteLink", payload, inviteLink, deadline);
  }

  async #call<Result>(
    method: string,
    payload: object,
    result: z.ZodType<Result>,
    deadline: Deadline,
  ): Promise<Result> {
    for (;;) {
      try {
        return await this.#attempt(method, payload, result, deadline);
      } catch (error) {
        if (!(error instanceof TelegramCallError) || error.failure.kind !== "tooManyRequests") throw error;
        const waitMs = error.failure.retryAfterSeconds * 1000;
        if (Date.now() + waitMs >= deadline.at) throw error;
        await delay(waitMs);
      }
    }
  }

  async #attempt<Result>(
    method: string,
    payload: object,
    result: z.ZodType<Result>,
    deadline: Deadline,
  ): Promise<Result> {
    const started = performance.now();
    const report = (failure: string | null) =>
      this.#onCall({ method, milliseconds: performance.now() - started, failure });
    try {
      const left = deadline.at - Date.now();
      // A call that could not be waited for would only leave its outcome unknown.
      if (left < LEAST_MS) {
        throw new TelegramCallError(method, {
          kind: "unavailable",
          carriedOut: "no",
          reason: "no time left",
        });
      }
      const signal = AbortSignal.timeout(Math.min(this.#timeoutMs, left));
      // Telegraf's types know neither subscription links nor a call by a method's mere name.
      const answer: unknown = await this.#telegram.callApi(
        method as never,
        payload as never,
        { signal } as never,
      );
      const parsed = result.safeParse(answer);
      if (!parsed.success) {
        throw new TelegramCallError(method, {
          kind: "unavailable",
          carriedOut: "maybe",
          reason: "answered with something else",
        });
      }
      report(null);
      return parsed.data;
    } catch (error) {
      const failure = error instanceof TelegramCallError ? error.failure : toFailure(error);
      report("reason" in failure ? `${failure.kind}: ${failure.reason}` : failure.kind);
      throw new TelegramCallError(method, failure);
    }
  }
}

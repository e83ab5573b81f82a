import { setTimeout as delay } from "node:timers/promises";
import { Telegram } from "telegraf";
import * as z from "zod";
import { isWebAddress } from "./addresses.js";
import { type HttpAnswer, watchingAnswer } from "./answers.js";
import { TelegramCallError, type TelegramFailure, toFailure } from "./failures.js";

const MAX_TEXT = 255;
/** The end of the year 9999. */
const MAX_SECONDS = 253_402_300_799;
const MAX_MEMBERS = 100_000;
/** Of a description that is passed on. */
const MAX_DESCRIPTION = 300;

const telegramId = z.number().int().refine(Number.isSafeInteger);

/** A text of Telegram's as a database holds it; Telegram's own are far shorter. */
const text = z.string().transform((value) => value.toWellFormed().replaceAll("\0", " ").slice(0, MAX_TEXT));

const chat = z.object({
  id: telegramId,
  type: z.enum(["private", "group", "supergroup", "channel"]),
  title: text.optional().catch(undefined),
  username: text.optional().catch(undefined),
});

const user = z.object({ id: telegramId });

const chatMember = z.object({
  status: z.string(),
  can_invite_users: z.boolean().optional(),
});

/** The link itself is what counts: it exists now, however odd the rest of the answer may be. */
const inviteLink = z.object({
  invite_link: z.string().refine(isWebAddress),
  creator: z.object({ id: telegramId }).optional().catch(undefined),
  name: text.optional().catch(undefined),
  creates_join_request: z.boolean().optional().catch(undefined),
  expire_date: z.number().int().min(0).max(MAX_SECONDS).optional().catch(undefined),
  member_limit: z.number().int().min(0).max(MAX_MEMBERS).optional().catch(undefined),
  is_revoked: z.boolean().optional().catch(undefined),
});

export type TelegramChat = z.infer<typeof chat>;
export type TelegramInviteLink = z.infer<typeof inviteLink>;

/** What the bot may do in a chat, as far as links go. */
export type BotStanding = "ready" | "missingRights" | "notInChat";

/** The settings of a link, in Telegram's terms: a date in Unix seconds, null for none. */
export interface LinkSettings {
  readonly name: string | null;
  readonly createsJoinRequest: boolean;
  readonly expireDate: number | null;
  readonly memberLimit: number | null;
}

/** How long something may take: calls give up, and no wait is begun that would end after it. */
export interface Deadline {
  /** As of Date.now(), in milliseconds. */
  readonly at: number;
}

/** Told of each try to send a call that changes something, so that what may have happened is on record before it can. */
export interface Sending {
  /** The request goes out when this resolves; what it throws keeps it from being sent. */
  begins(): Promise<void>;
  /** Telegram put that try off (429), and certainly did nothing; there will be another. */
  putOff(): Promise<void>;
}

export interface CallEvent {
  readonly method: string;
  readonly milliseconds: number;
  /** Null for a result. */
  readonly failure: TelegramFailure | null;
  /** An answer that could not be understood, so that nothing Telegram said is lost. */
  readonly answer?: unknown;
}

export interface GatewayOptions {
  readonly token: string;
  readonly botId: number;
  readonly apiRoot: string;
  /** For one call, in milliseconds. */
  readonly timeoutMs: number;
  readonly onCall: (event: CallEvent) => void;
}

const settingsPayload = ({ name, createsJoinRequest, expireDate, memberLimit }: LinkSettings) => ({
  name: name ?? undefined,
  expire_date: expireDate ?? undefined,
  member_limit: memberLimit ?? undefined,
  creates_join_request: createsJoinRequest,
});

/** Milliseconds in which no answer can be expected. */
const LEAST_MS = 20;

/**
 * The Bot API. Every call has an end: after `timeoutMs`, or at the deadline given. A 429 is waited out where the
 * deadline allows it. All failures are TelegramCallErrors.
 */
export class TelegramGateway {
  readonly botId: number;
  readonly #telegram: Telegram;
  readonly #token: string;
  readonly #timeoutMs: number;
  readonly #onCall: (event: CallEvent) => void;

  constructor({ token, botId, apiRoot, timeoutMs, onCall }: GatewayOptions) {
    this.botId = botId;
    this.#token = token;
    this.#telegram = new Telegram(token, { apiRoot: apiRoot.endsWith("/") ? apiRoot : `${apiRoot}/` });
    this.#timeoutMs = timeoutMs;
    this.#onCall = onCall;
  }

  /** How long a whole mutation may wait for Telegram: its calls, their turn and a 429. */
  deadline(): Deadline {
    return { at: Date.now() + Math.floor(this.#timeoutMs * 1.5) };
  }

  async getMe(deadline = this.deadline()) {
    return this.#call("getMe", {}, user, deadline);
  }

  /** @param chatId an id, or an @username. */
  async getChat(chatId: number | string, deadline: Deadline): Promise<TelegramChat> {
    const found = await this.#call("getChat", { chat_id: chatId }, chat, deadline);
    if (typeof chatId === "number" && found.id !== chatId) {
      const reason = "answered about another chat";
      throw new TelegramCallError("getChat", { kind: "unavailable", carriedOut: "no", reason });
    }
    return found;
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
    sending: Sending,
  ): Promise<TelegramInviteLink> {
    const payload = { chat_id: chatId, ...settingsPayload(settings) };
    return this.#call("createChatInviteLink", payload, inviteLink, deadline, sending);
  }

  /** Replaces every setting of a link that is the bot's own: what is null is cleared. */
  async editInviteLink(
    chatId: number,
    url: string,
    settings: LinkSettings,
    deadline: Deadline,
    sending: Sending,
  ): Promise<TelegramInviteLink> {
    const payload = { chat_id: chatId, invite_link: url, ...settingsPayload(settings) };
    return this.#call("editChatInviteLink", payload, inviteLink, deadline, sending);
  }

  /** The name is all that can be changed of a link whose members pay. */
  async editSubscriptionInviteLink(
    chatId: number,
    url: string,
    name: string | null,
    deadline: Deadline,
    sending: Sending,
  ): Promise<TelegramInviteLink> {
    const payload = { chat_id: chatId, invite_link: url, name: name ?? undefined };
    return this.#call("editChatSubscriptionInviteLink", payload, inviteLink, deadline, sending);
  }

  async revokeInviteLink(
    chatId: number,
    url: string,
    deadline: Deadline,
    sending: Sending,
  ): Promise<TelegramInviteLink> {
    const payload = { chat_id: chatId, invite_link: url };
    return this.#call("revokeChatInviteLink", payload, inviteLink, deadline, sending);
  }

  /** @param price Stars a month. @param periodSeconds 2592000. */
  async createSubscriptionInviteLink(
    chatId: number,
    link: { readonly name: string | null; readonly price: number; readonly periodSeconds: number },
    deadline: Deadline,
    sending: Sending,
  ): Promise<TelegramInviteLink> {
    const payload = {
      chat_id: chatId,
      name: link.name ?? undefined,
      subscription_period: link.periodSeconds,
      subscription_price: link.price,
    };
    return this.#call("createChatSubscriptionInviteLink", payload, inviteLink, deadline, sending);
  }

  async #call<Result>(
    method: string,
    payload: Record<string, unknown>,
    result: z.ZodType<Result>,
    deadline: Deadline,
    sending?: Sending,
  ): Promise<Result> {
    for (;;) {
      await sending?.begins();
      try {
        return await this.#attempt(method, payload, result, deadline);
      } catch (error) {
        if (!(error instanceof TelegramCallError) || error.failure.kind !== "tooManyRequests") throw error;
        const waitMs = error.failure.retryAfterSeconds * 1000;
        if (Date.now() + waitMs >= deadline.at) throw error;
        await sending?.putOff();
        await delay(waitMs);
      }
    }
  }

  async #attempt<Result>(
    method: string,
    payload: Record<string, unknown>,
    result: z.ZodType<Result>,
    deadline: Deadline,
  ): Promise<Result> {
    const left = deadline.at - Date.now();
    // A call that could not be waited for would only leave its outcome unknown.
    if (left < LEAST_MS) {
      throw new TelegramCallError(method, { kind: "unavailable", carriedOut: "no", reason: "no time left" });
    }
    const answer: HttpAnswer = { abort: new AbortController() };
    const signal = AbortSignal.any([
      answer.abort.signal,
      AbortSignal.timeout(Math.min(this.#timeoutMs, left)),
    ]);
    const started = performance.now();
    const report = (failure: TelegramFailure | null, said?: unknown) =>
      this.#onCall({
        method,
        milliseconds: performance.now() - started,
        failure,
        ...(said === undefined ? {} : { answer: said }),
      });
    let said: unknown;
    try {
      // Telegraf's types know neither subscription links nor a call by a method's mere name.
      const call = () => this.#telegram.callApi(method as never, payload as never, { signal } as never);
      said = await watchingAnswer(answer, call);
    } catch (error) {
      const { status } = answer;
      const failure = toFailure(error, { chatId: payload["chat_id"], status, showable: this.#showable });
      report(failure);
      throw new TelegramCallError(method, failure);
    }
    const parsed = result.safeParse(said);
    if (!parsed.success) {
      const reason = "answered with something else";
      const failure: TelegramFailure = { kind: "unavailable", carriedOut: "maybe", reason };
      report(failure, said);
      throw new TelegramCallError(method, failure);
    }
    report(null);
    return parsed.data;
  }

  /** Telegram's words for a caller: never with the token in them, and no longer than words are. */
  readonly #showable = (description: string): string =>
    description
      .replaceAll(this.#token, "[secret]")
      .toWellFormed()
      .replaceAll("\0", " ")
      .slice(0, MAX_DESCRIPTION);
}

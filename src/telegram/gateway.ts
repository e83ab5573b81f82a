import * as z from "zod";
import { isSameLink, isWebAddress } from "./addresses.js";
import {
  BotApi,
  type BotApiOptions,
  type Call,
  type Deadline,
  getMe,
  type SendObserver,
  type TelegramBot,
} from "./botApi.js";
import { TelegramCallError } from "./failures.js";
import type { Hold } from "./holds.js";

export type { CallEvent, Deadline, SendObserver } from "./botApi.js";

const MAX_TEXT = 255;
/** The end of the year 9999. */
const MAX_SECONDS = 253_402_300_799;
const MAX_MEMBERS = 100_000;
/** The largest number that the database's type takes. */
const MAX_COUNT = 2 ** 31 - 1;

const CREATE = "createChatInviteLink";
const APPROVE = "approveChatJoinRequest";
const CREATE_SUBSCRIPTION = "createChatSubscriptionInviteLink";

const telegramId = z.number().int().refine(Number.isSafeInteger);

/** A text of Telegram, made fit for the database. Telegram's own texts are far shorter than MAX_TEXT. */
const text = z.string().transform((value) => value.slice(0, MAX_TEXT).toWellFormed().replaceAll("\0", " "));

const chat = z.object({
  id: telegramId,
  type: z.enum(["private", "group", "supergroup", "channel"]),
  title: text.optional().catch(undefined),
  username: text.optional().catch(undefined),
});

const chatMember = z.object({
  status: z.string(),
  can_invite_users: z.boolean().optional(),
});

/** Only the link itself is required. The link exists now, so odd values of other fields are dropped. */
const inviteLink = z.object({
  invite_link: z.string().refine(isWebAddress),
  creator: z.object({ id: telegramId }).optional().catch(undefined),
  name: text.optional().catch(undefined),
  creates_join_request: z.boolean().optional().catch(undefined),
  expire_date: z.number().int().min(0).max(MAX_SECONDS).optional().catch(undefined),
  member_limit: z.number().int().min(0).max(MAX_MEMBERS).optional().catch(undefined),
  is_revoked: z.boolean().optional().catch(undefined),
});

/** Refuses an answer about another link, which would otherwise be stored for this link. */
const linkAt = (url: string) => inviteLink.refine((link) => isSameLink(link.invite_link, url));
const revokedLinkAt = (url: string) => linkAt(url).refine((link) => link.is_revoked !== false);

export type TelegramChat = z.infer<typeof chat>;
export type TelegramInviteLink = z.infer<typeof inviteLink>;

/** The bot's rights to manage links in a chat. */
export type TelegramBotStatus = "ready" | "missingRights" | "notInChat";

/** The settings of a link in Telegram. */
export interface LinkSettings {
  readonly name: string | null;
  readonly createsJoinRequest: boolean;
  /** Unix seconds; null for no expiry. */
  readonly expireDate: number | null;
  /** Null for no limit. */
  readonly memberLimit: number | null;
}

const settingsPayload = ({ name, createsJoinRequest, expireDate, memberLimit }: LinkSettings) => ({
  name: name ?? undefined,
  expire_date: expireDate ?? undefined,
  member_limit: memberLimit ?? undefined,
  creates_join_request: createsJoinRequest,
});

/**
 * The calls of the Bot API that links need. A call ends at the latest at its deadline, and `timeoutMs` after it was sent.
 * All failures are TelegramCallErrors.
 */
export class TelegramGateway {
  readonly botId: number;
  readonly #options: BotApiOptions;
  readonly #api: BotApi;
  readonly #signal: AbortSignal | undefined;
  readonly #isPatient: boolean;

  /** @param api is shared by all clients, because a bot has one call queue. */
  constructor(options: BotApiOptions, api = new BotApi(options), signal?: AbortSignal, isPatient = false) {
    this.botId = options.botId;
    this.#options = options;
    this.#api = api;
    this.#signal = signal;
    this.#isPatient = isPatient;
  }

  /** A gateway for one client. Calls with its deadlines are not sent any more once `signal` is aborted. */
  forClient(signal: AbortSignal): TelegramGateway {
    return new TelegramGateway(this.#options, this.#api, signal);
  }

  /** As forClient, for work that nobody waits for: its calls go after all others. */
  forBackground(signal: AbortSignal): TelegramGateway {
    return new TelegramGateway(this.#options, this.#api, signal, true);
  }

  /** The number of calls that wait for a slot. */
  get waiting(): number {
    return this.#api.waiting;
  }

  /** The holds that this server knows, without reading the store. */
  get localHolds(): readonly Hold[] {
    return this.#api.localHolds;
  }

  /** The holds of all servers. */
  holds(): Promise<readonly Hold[]> {
    return this.#api.holds();
  }

  /** Milliseconds until the holds that this server knows allow a link to be created in a chat. */
  creationHoldLeft(chatId: number, isSubscription: boolean): number {
    return this.#api.holdLeft({
      method: isSubscription ? CREATE_SUBSCRIPTION : CREATE,
      chat: String(chatId),
    });
  }

  /** Milliseconds until the holds that this server knows allow a request to join a chat to be approved. */
  approvalHoldLeft(chatId: number): number {
    return this.#api.holdLeft({ method: APPROVE, chat: String(chatId) });
  }

  /** The deadline of a whole mutation: one and a half times `timeoutMs` for its calls, their slots and holds. */
  deadline(): Deadline {
    return { at: Date.now() + Math.floor(this.#options.timeoutMs * 1.5), signal: this.#signal };
  }

  /** The bot as Telegram described it last; null until it has. Telegram is not asked. */
  get bot(): TelegramBot | null {
    return this.#api.bot;
  }

  async getMe(deadline = this.deadline()) {
    const me = await this.#call({ ...getMe(this.botId), deadline });
    if (me.username !== undefined)
      this.#api.bot = { username: me.username, name: me.first_name ?? me.username };
    return me;
  }

  /** @param chatId an id or an @username. */
  async getChat(chatId: number | string, deadline: Deadline): Promise<TelegramChat> {
    const found = await this.#call({
      method: "getChat",
      payload: { chat_id: chatId },
      result: chat,
      deadline,
    });
    if (typeof chatId === "number" && found.id !== chatId) {
      const reason = "answered about another chat";
      throw new TelegramCallError("getChat", { kind: "unavailable", carriedOut: "no", reason });
    }
    return found;
  }

  async chatMemberCount(chatId: number, deadline: Deadline): Promise<number> {
    return this.#call({
      method: "getChatMemberCount",
      payload: { chat_id: chatId },
      result: z.number().int().min(0).max(MAX_COUNT),
      deadline,
    });
  }

  async botStatus(chatId: number, deadline: Deadline): Promise<TelegramBotStatus> {
    const member = await this.#call({
      method: "getChatMember",
      payload: { chat_id: chatId, user_id: this.botId },
      result: chatMember,
      deadline,
    });
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
    sending: SendObserver,
  ): Promise<TelegramInviteLink> {
    const payload = { chat_id: chatId, ...settingsPayload(settings) };
    return this.#call({ method: CREATE, payload, result: inviteLink, deadline, sending });
  }

  /** Replaces all settings of a link of the bot. A setting that is null is cleared. */
  async editInviteLink(
    chatId: number,
    url: string,
    settings: LinkSettings,
    deadline: Deadline,
    sending: SendObserver,
  ): Promise<TelegramInviteLink> {
    const payload = { chat_id: chatId, invite_link: url, ...settingsPayload(settings) };
    return this.#call({ method: "editChatInviteLink", payload, result: linkAt(url), deadline, sending });
  }

  /** Changes a subscription link's name, its only setting that can be changed. */
  async editSubscriptionInviteLink(
    chatId: number,
    url: string,
    name: string | null,
    deadline: Deadline,
    sending: SendObserver,
  ): Promise<TelegramInviteLink> {
    const payload = { chat_id: chatId, invite_link: url, name: name ?? undefined };
    return this.#call({
      method: "editChatSubscriptionInviteLink",
      payload,
      result: linkAt(url),
      deadline,
      sending,
    });
  }

  async revokeInviteLink(
    chatId: number,
    url: string,
    deadline: Deadline,
    sending: SendObserver,
  ): Promise<TelegramInviteLink> {
    const payload = { chat_id: chatId, invite_link: url };
    const result = revokedLinkAt(url);
    // The revocation of a leaked link must not wait behind creations.
    return this.#call({
      method: "revokeChatInviteLink",
      payload,
      result,
      deadline,
      sending,
      isUrgent: true,
    });
  }

  /** Lets a person in who has asked to join, or refuses it. Repeating the call does no harm. */
  async decideJoinRequest(
    chatId: number,
    userId: number,
    decision: "APPROVE" | "DECLINE",
    deadline: Deadline,
    sending: SendObserver,
  ): Promise<void> {
    const method = decision === "APPROVE" ? APPROVE : "declineChatJoinRequest";
    const payload = { chat_id: chatId, user_id: userId };
    await this.#call({ method, payload, result: z.literal(true), deadline, sending });
  }

  /** Answers a request that Telegram has put to the bot as a query, within ten seconds after it was sent. */
  async answerJoinRequestQuery(
    queryId: string,
    result: "approve" | "queue",
    deadline: Deadline,
    sending: SendObserver,
  ): Promise<void> {
    const payload = { chat_join_request_query_id: queryId, result };
    const method = "answerChatJoinRequestQuery";
    await this.#call({ method, payload, result: z.literal(true), deadline, sending, isUrgent: true });
  }

  /** @param link `price` in Stars a month; `periodSeconds` must be 2592000. */
  async createSubscriptionInviteLink(
    chatId: number,
    link: { readonly name: string | null; readonly price: number; readonly periodSeconds: number },
    deadline: Deadline,
    sending: SendObserver,
  ): Promise<TelegramInviteLink> {
    const payload = {
      chat_id: chatId,
      name: link.name ?? undefined,
      subscription_period: link.periodSeconds,
      subscription_price: link.price,
    };
    return this.#call({
      method: CREATE_SUBSCRIPTION,
      payload,
      result: inviteLink,
      deadline,
      sending,
    });
  }

  #call<Result>(call: Call<Result>): Promise<Result> {
    return this.#api.call(this.#isPatient ? { ...call, isPatient: true } : call);
  }
}

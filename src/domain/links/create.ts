import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import sql from "sql-template-tag";
import type { Database } from "../../database/database.js";
import type { Logger } from "../../log.js";
import { TelegramCallError, type TelegramFailure } from "../../telegram/failures.js";
import type { Deadline, Sending, TelegramGateway, TelegramInviteLink } from "../../telegram/gateway.js";
import { type Caller, requireChannel, requireRole } from "../access/caller.js";
import type { Channel } from "../channels/channel.js";
import { followMigration } from "../channels/migration.js";
import { BOT_STATUS, isLinkable, storeBotStatus, storeChannel } from "../channels/store.js";
import { Problems, TelegramUnavailableError, ValidationError } from "../errors.js";
import { parseIds } from "../ids.js";
import type { Loaders } from "../loaders.js";
import { codePoints, isStorable } from "../text.js";
import { userErrorOf } from "../userErrorOf.js";
import type { CreationRequest, Creations } from "./creations.js";
import { type InviteLink, inviteLinkColumns, SUBSCRIPTION_PERIOD_SECONDS } from "./inviteLink.js";
import { checkBudget, checkSettings, MAX_SUBSCRIPTION_STARS } from "./settings.js";
import { LinkKnownError, type LinkPlan, storeMadeLink } from "./storeMadeLink.js";

export interface CreateInviteLinkInput {
  readonly channelId: number;
  readonly name: string;
  readonly createsJoinRequest: boolean;
  readonly expireDate?: Date | null | undefined;
  readonly memberLimit?: number | null | undefined;
  /** An exact decimal. */
  readonly budget: string;
  /** Global or bare. */
  readonly tagIds: readonly string[];
  readonly subscription?: { readonly priceStars: number } | null | undefined;
  readonly idempotencyKey?: string | null | undefined;
}

const MAX_KEY_LENGTH = 255;
/** That a link carries. */
const MAX_TAGS = 100;
/** The waits, in milliseconds, between tries to store what Telegram made: as long as a database takes to restart. */
const STORE_RETRIES_MS = [100, 500, 2000, 5000, 10_000];
/** How long a request waits for that at least, though Telegram took all the time there was. */
const STORE_GRACE_MS = 1000;

const distinct = (ids: readonly (string | null)[]): string[] => [...new Set(ids.filter((id) => id !== null))];

/** What an idempotency key stands for: all arguments, in the one form that equal ones have. */
function toRequest(
  input: CreateInviteLinkInput,
  tagIds: readonly string[],
  problems: Problems,
): CreationRequest {
  const key = input.idempotencyKey ?? null;
  if (key !== null && (key === "" || codePoints(key) > MAX_KEY_LENGTH)) {
    problems.add("idempotencyKey", `Must have 1 to ${MAX_KEY_LENGTH} characters.`);
  } else if (key !== null && !isStorable(key)) {
    problems.add("idempotencyKey", "Must be well-formed Unicode without NUL.");
  }
  const hashed = {
    channelId: input.channelId,
    name: input.name.toWellFormed().replaceAll("\0", " "),
    createsJoinRequest: input.createsJoinRequest,
    expireDate: input.expireDate?.toISOString() ?? null,
    memberLimit: input.memberLimit ?? null,
    budget: input.budget,
    tagIds: [...tagIds].sort(),
    priceStars: input.subscription?.priceStars ?? null,
  };
  const argumentsHash = Uint8Array.from(createHash("sha256").update(JSON.stringify(hashed)).digest());
  return { idempotencyKey: key, argumentsHash, arguments: hashed };
}

/** Making links, for one request. */
export class LinkMaker {
  readonly #database: Database;
  readonly #gateway: TelegramGateway;
  readonly #creations: Creations;
  readonly #log: Logger;
  readonly #caller: Caller;
  readonly #loaders: Loaders;

  constructor(
    shared: { database: Database; gateway: TelegramGateway; creations: Creations },
    request: { caller: Caller; loaders: Loaders; log: Logger },
  ) {
    this.#database = shared.database;
    this.#gateway = shared.gateway;
    this.#creations = shared.creations;
    this.#caller = request.caller;
    this.#loaders = request.loaders;
    this.#log = request.log;
  }

  /**
   * Makes a link in Telegram and stores it. With an idempotency key, a repeated call gives the first call's link.
   * @throws ForbiddenError, ValidationError, IdempotencyConflictError, and what Telegram's answers mean.
   */
  create(input: CreateInviteLinkInput): Promise<InviteLink> {
    return this.#creations.track(this.#create(input));
  }

  async #create(input: CreateInviteLinkInput): Promise<InviteLink> {
    requireRole(this.#caller, "EDITOR");
    const problems = new Problems();
    const tagIds = parseIds("Tag", input.tagIds, "tagIds", problems, MAX_TAGS);
    const request = toRequest(input, distinct(tagIds), problems);
    const deadline = this.#gateway.deadline();
    // Before anything that time may change: whether a date is still to come, or under which id the chat is granted.
    let claim = problems.found ? null : await this.#creations.earlier(this.#caller, request, deadline);
    try {
      const link =
        claim && "madeLinkId" in claim ? await this.#loaders.inviteLink.load(claim.madeLinkId) : null;
      if (link) return link;
      requireChannel(this.#caller, input.channelId);
      const plan = await this.#check(input, tagIds, problems);
      const channel = await this.#channel(input, deadline);
      claim ??= await this.#creations.prepare(this.#caller, request, channel.id, deadline);
      if ("madeLinkId" in claim) return await this.#made(claim.madeLinkId);
      return await this.#carryOut(claim.creationId, channel, plan, deadline);
    } finally {
      if (claim && "creationId" in claim) this.#creations.leave(claim.creationId);
    }
  }

  /** The link that this very request made. */
  async #made(linkId: string): Promise<InviteLink> {
    const [link] = await this.#database.query<InviteLink>(sql`
      select ${inviteLinkColumns} from invite_link l join channel c on c.id = l.channel_id
      where l.id = ${linkId}::uuid`);
    if (!link) throw new Error(`The link ${linkId} of an answered creation is not there.`);
    // Another request may have followed the chat to another id, and the caller's grant with it.
    this.#caller.channelIds?.add(link.chatId);
    return link;
  }

  /** All that can be known to be wrong before Telegram is asked. */
  async #check(
    input: CreateInviteLinkInput,
    tagIds: readonly (string | null)[],
    problems: Problems,
  ): Promise<LinkPlan> {
    const { subscription = null, expireDate = null, memberLimit = null, createsJoinRequest } = input;
    const settings = checkSettings(
      { name: input.name, createsJoinRequest, expireDate, memberLimit },
      new Date(),
      problems,
    );
    checkBudget(input.budget, problems);
    if (subscription) {
      if (subscription.priceStars < 1 || subscription.priceStars > MAX_SUBSCRIPTION_STARS) {
        problems.add("subscription.priceStars", `Must be from 1 to ${MAX_SUBSCRIPTION_STARS}.`);
      }
      if (expireDate) problems.add("expireDate", "A subscription link does not expire.");
      if (memberLimit !== null) problems.add("memberLimit", "A subscription link has no member limit.");
      if (createsJoinRequest)
        problems.add("createsJoinRequest", "A subscription link creates no join requests.");
    }
    const channel = await this.#loaders.channelByChatId.load(input.channelId);
    if (subscription && channel && channel.kind !== "CHANNEL") {
      problems.add("subscription", "Only channels have subscription links, not groups.");
    }
    const tags = await Promise.all(tagIds.map((id) => id && this.#loaders.tag.load(id)));
    for (const [index, tag] of tags.entries()) {
      if (tagIds[index] !== null && (!tag || tag.channelId !== channel?.id)) {
        problems.add(`tagIds.${index}`, "There is no such tag in this channel.");
      }
    }
    problems.check();
    return {
      settings,
      subscriptionPrice: subscription?.priceStars ?? null,
      budget: input.budget,
      tagIds: distinct(tagIds),
    };
  }

  /** The channel, learned from Telegram where it is not known yet. */
  async #channel(input: CreateInviteLinkInput, deadline: Deadline, followed = false): Promise<Channel> {
    const { channelId: chatId } = input;
    const known = await this.#loaders.channelByChatId.load(chatId);
    if (known) return known;
    try {
      const chat = await this.#gateway.getChat(chatId, deadline);
      if (!isLinkable(chat)) {
        throw new ValidationError([
          { field: "channelId", message: "This is a person's chat; links belong to channels and groups." },
        ]);
      }
      if (input.subscription && chat.type !== "channel") {
        throw new ValidationError([
          { field: "subscription", message: "Only channels have subscription links, not groups." },
        ]);
      }
      return await storeChannel(this.#database, this.#caller, chat);
    } catch (error) {
      if (!(error instanceof TelegramCallError)) throw error;
      const { failure } = error;
      if (failure.kind === "migrated" && !followed) {
        await followMigration(this.#database, this.#caller, chatId, failure.toChatId);
        return this.#channel({ ...input, channelId: failure.toChatId }, deadline, true);
      }
      // Asking about a chat makes nothing: whatever became of it, no link exists.
      if (failure.kind === "unavailable") throw new TelegramUnavailableError(false);
      throw userErrorOf(failure, chatId);
    }
  }

  async #carryOut(
    creationId: string,
    channel: Channel,
    plan: LinkPlan,
    deadline: Deadline,
  ): Promise<InviteLink> {
    const sending = this.#creations.sendingOf(creationId);
    let chatId = channel.chatId;
    let answer: TelegramInviteLink;
    try {
      try {
        answer = await this.#call(chatId, plan, deadline, sending);
      } catch (error) {
        if (!(error instanceof TelegramCallError) || error.failure.kind !== "migrated") throw error;
        await followMigration(this.#database, this.#caller, chatId, error.failure.toChatId);
        chatId = error.failure.toChatId;
        answer = await this.#call(chatId, plan, deadline, sending);
      }
    } catch (error) {
      if (!(error instanceof TelegramCallError)) {
        // Following the chat failed here, between two calls of which the first made nothing.
        await this.#creations.markFailed(creationId, "the server failed");
        throw error;
      }
      await this.#noteFailure(creationId, chatId, error.failure);
      throw userErrorOf(error.failure, chatId);
    }
    const stored = this.#creations.track(this.#storeWhateverHappens(creationId, chatId, plan, answer));
    const gaveUp = delay(Math.max(STORE_GRACE_MS, deadline.at - Date.now()), null, { ref: false });
    const linkId = await Promise.race([stored, gaveUp]);
    // Storing goes on, though this request cannot wait for it any longer.
    if (linkId === null) throw new TelegramUnavailableError(true);
    // What is told of the channel is what the creation has just shown.
    this.#loaders.channelByChatId.clearAll();
    this.#loaders.channel.clearAll();
    return this.#made(linkId);
  }

  #call(
    chatId: number,
    { settings, subscriptionPrice }: LinkPlan,
    deadline: Deadline,
    sending: Sending,
  ): Promise<TelegramInviteLink> {
    if (subscriptionPrice === null)
      return this.#gateway.createInviteLink(chatId, settings, deadline, sending);
    const link = {
      name: settings.name,
      price: subscriptionPrice,
      periodSeconds: SUBSCRIPTION_PERIOD_SECONDS,
    };
    return this.#gateway.createSubscriptionInviteLink(chatId, link, deadline, sending);
  }

  async #noteFailure(creationId: string, chatId: number, failure: TelegramFailure): Promise<void> {
    if (failure.kind === "unavailable" && failure.carriedOut === "maybe") {
      await this.#creations.markUncertain(creationId, failure.reason);
    } else {
      await this.#creations.markFailed(creationId, "reason" in failure ? failure.reason : failure.kind);
    }
    if (failure.kind === "notInChat") await storeBotStatus(this.#database, chatId, BOT_STATUS.notInChat);
    if (failure.kind === "missingRights")
      await storeBotStatus(this.#database, chatId, BOT_STATUS.missingRights);
  }

  /** Telegram has no way to ask again which links there are: what it made is stored now, or at least logged. */
  async #storeWhateverHappens(
    creationId: string,
    chatId: number,
    plan: LinkPlan,
    answer: TelegramInviteLink,
  ): Promise<string> {
    const made = { creationId, plan, answer, caller: this.#caller, botId: this.#gateway.botId };
    for (const wait of [...STORE_RETRIES_MS, null]) {
      try {
        return await this.#database.transaction(async (unit) => {
          const linkId = await storeMadeLink(unit, made);
          await this.#creations.markAnswered(unit, creationId, linkId);
          return linkId;
        });
      } catch (error) {
        if (wait === null || error instanceof LinkKnownError) {
          this.#log.fatal(
            { err: error, creationId, chatId, answer },
            "Telegram made a link that could not be stored",
          );
          // Where not even this can be stored, the creation is found abandoned, which comes to the same.
          await this.#creations.markUncertain(creationId, "the link could not be stored").catch(() => {});
          throw new TelegramUnavailableError(true);
        }
        this.#log.warn({ err: error, creationId }, "storing a link that Telegram made is tried again");
        await delay(wait);
      }
    }
    throw new TypeError("The last try neither ended well nor failed.");
  }
}

import { createHash } from "node:crypto";
import sql from "sql-template-tag";
import type { Database } from "../../../database/database.js";
import { failureOf } from "../../../database/failures.js";
import type { Logger } from "../../../log.js";
import { TelegramCallError, type TelegramFailure } from "../../../telegram/failures.js";
import type {
  Deadline,
  SendObserver,
  TelegramGateway,
  TelegramInviteLink,
} from "../../../telegram/gateway.js";
import type { CallerCache } from "../../access/callerCache.js";
import type { Channel } from "../../channels/channel.js";
import { FollowedChat } from "../../channels/followedChat.js";
import { isLinkable, storeChannel, storeStatusAfterFailure } from "../../channels/storeChannel.js";
import { type Caller, requireChannel, requireRole } from "../../shared/caller.js";
import type { StorageGuard } from "../../shared/databaseErrors.js";
import { Problems, UserError, ValidationError } from "../../shared/errors.js";
import type { PendingWork } from "../../shared/pendingWork.js";
import { codePoints, isStorable } from "../../shared/text.js";
import { errorOfInquiry, userErrorOf } from "../../shared/userErrorOf.js";
import { type InviteLink, inviteLinkColumns, SUBSCRIPTION_PERIOD_SECONDS } from "../inviteLink.js";
import type { Loaders } from "../linkLoaders.js";
import {
  guardedSending,
  persistResult,
  readResult,
  timeLimitOf,
  waitBriefly,
  waitUntilDeadline,
} from "../persistResult.js";
import { checkBudget, checkSettings, checkSubscription, MAX_SUBSCRIPTION_STARS } from "../settings.js";
import { checkTags, distinct, parseTagIds } from "../tagging/linkTags.js";
import type { CreationIntents, CreationRequest } from "./creationIntents.js";
import { type LinkSpec, storeCreatedLink } from "./storeCreatedLink.js";

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

interface CreatorServices {
  readonly database: Database;
  readonly callerCache: CallerCache;
  readonly gateway: TelegramGateway;
  readonly creationIntents: CreationIntents;
  readonly pendingWork: PendingWork;
  readonly storageGuard: StorageGuard;
}

/** Making links, for one request. */
export class LinkCreator {
  readonly #shared: CreatorServices;
  readonly #database: Database;
  readonly #gateway: TelegramGateway;
  readonly #creationIntents: CreationIntents;
  readonly #pendingWork: PendingWork;
  readonly #guard: StorageGuard;
  readonly #log: Logger;
  readonly #caller: Caller;
  readonly #loaders: Loaders;

  constructor(shared: CreatorServices, request: { caller: Caller; loaders: Loaders; log: Logger }) {
    this.#shared = shared;
    this.#database = shared.database;
    this.#gateway = shared.gateway;
    this.#creationIntents = shared.creationIntents;
    this.#pendingWork = shared.pendingWork;
    this.#guard = shared.storageGuard;
    this.#caller = request.caller;
    this.#loaders = request.loaders;
    this.#log = request.log;
  }

  /**
   * Makes a link in Telegram and stores it. With an idempotency key, a repeated call gives the first call's link.
   * @throws ForbiddenError, ValidationError, IdempotencyConflictError, DatabaseUnavailableError where nothing was made
   * since it could not be stored, and what Telegram's answers mean.
   */
  create(input: CreateInviteLinkInput): Promise<InviteLink> {
    return this.#pendingWork.track(this.#create(input));
  }

  async #create(input: CreateInviteLinkInput): Promise<InviteLink> {
    requireRole(this.#caller, "EDITOR");
    this.#guard.requireWritable();
    try {
      return await this.#try(input);
    } catch (error) {
      if (failureOf(error).kind !== "missingReference") throw error;
      // Following the chat made one channel of two, before anything was stored here.
      this.#forgetChannels();
      return this.#try(input);
    }
  }

  async #try(input: CreateInviteLinkInput): Promise<InviteLink> {
    const problems = new Problems();
    const tagIds = parseTagIds(input.tagIds, "tagIds", problems);
    const request = toRequest(input, distinct(tagIds), problems);
    const deadline = this.#gateway.deadline();
    // Before anything that time may change: whether a date is still to come, or under which id the chat is granted.
    let claim = problems.found ? null : await this.#creationIntents.earlier(this.#caller, request, deadline);
    try {
      const link =
        claim && "createdLinkId" in claim ? await this.#loaders.inviteLink.load(claim.createdLinkId) : null;
      if (link) return link;
      const { plan, channel } = await this.#plan(input, tagIds, deadline, problems).catch(async (error) => {
        // What a server left when it died cannot be carried out any more: its key is free, as after any refusal.
        if (claim && "creationId" in claim && error instanceof UserError)
          await this.#creationIntents.markFailed(claim.creationId, error.message);
        throw error;
      });
      const requireTimeLeft = timeLimitOf(deadline);
      claim ??= await this.#creationIntents.prepare(this.#caller, request, channel.id, deadline);
      if ("createdLinkId" in claim) return await this.#made(claim.createdLinkId);
      return await this.#carryOut(claim.creationId, channel, plan, deadline, requireTimeLeft);
    } catch (error) {
      this.#guard.noteFailure(error);
      throw error;
    } finally {
      if (claim && "creationId" in claim) this.#creationIntents.leave(claim.creationId);
    }
  }

  #forgetChannels(): void {
    this.#loaders.channelByChatId.clearAll();
    this.#loaders.channel.clearAll();
    this.#loaders.tag.clearAll();
  }

  /** What is to be made, and where. */
  async #plan(
    input: CreateInviteLinkInput,
    tagIds: readonly (string | null)[],
    deadline: Deadline,
    problems: Problems,
  ): Promise<{ plan: LinkSpec; channel: Channel }> {
    requireChannel(this.#caller, input.channelId);
    const plan = await this.#check(input, tagIds, problems);
    return { plan, channel: await this.#channel(input, deadline) };
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
  ): Promise<LinkSpec> {
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
      checkSubscription({ expireDate, memberLimit, createsJoinRequest }, problems);
    }
    const channel = await this.#loaders.channelByChatId.load(input.channelId);
    if (subscription && channel && channel.kind !== "CHANNEL") {
      problems.add("subscription", "Only channels have subscription links, not groups.");
    }
    await checkTags(tagIds, channel?.id, "tagIds", this.#loaders, problems);
    problems.check();
    return {
      settings,
      subscriptionPrice: subscription?.priceStars ?? null,
      budget: input.budget,
      tagIds: distinct(tagIds),
    };
  }

  /** The channel, learned from Telegram where it is not known yet. */
  async #channel(input: CreateInviteLinkInput, deadline: Deadline): Promise<Channel> {
    const known = await this.#loaders.channelByChatId.load(input.channelId);
    if (known) return known;
    const named = new FollowedChat(this.#shared, this.#caller, input.channelId);
    const chat = await named
      .ask((chatId) => this.#gateway.getChat(chatId, deadline))
      .catch((error: unknown) => {
        throw errorOfInquiry(error, named.id);
      });
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
    return storeChannel(this.#database, this.#caller, chat);
  }

  async #carryOut(
    creationId: string,
    channel: Channel,
    plan: LinkSpec,
    deadline: Deadline,
    requireTimeLeft: () => void,
  ): Promise<InviteLink> {
    const sending = guardedSending(this.#creationIntents.sendingOf(creationId), this.#guard, deadline);
    const chat = new FollowedChat(this.#shared, this.#caller, channel.chatId);
    let answer: TelegramInviteLink;
    try {
      requireTimeLeft();
      answer = await chat.ask((chatId) => this.#call(chatId, plan, deadline, sending));
    } catch (error) {
      if (!(error instanceof TelegramCallError)) {
        // It was not sent: the database failed, or following the chat did, after a call that made nothing.
        await this.#creationIntents.markFailed(creationId, "the server failed");
        throw error;
      }
      await this.#noteFailure(creationId, error.failure);
      await waitBriefly(storeStatusAfterFailure(this.#database, chat.id, error.failure));
      throw userErrorOf(error.failure, chat.id);
    }
    const made = {
      creationId,
      plan,
      answer,
      caller: this.#caller,
      creatorId: this.#caller.telegramUserId,
      botId: this.#gateway.botId,
      madeAt: new Date(),
    };
    const storing = {
      store: () =>
        this.#database.transaction(async (unit) => {
          const id = await storeCreatedLink(unit, made);
          await this.#creationIntents.markAnswered(unit, creationId, id);
          return id;
        }),
      // Where not even this can be stored, the creation is found abandoned, which comes to the same.
      giveUp: () => this.#creationIntents.markUncertain(creationId, "the link could not be stored"),
      answer,
      about: { creationId, chatId: chat.id },
    };
    const stored = this.#pendingWork.track(persistResult(storing, this.#log, this.#guard));
    this.#guard.trackStoring(stored);
    this.#creationIntents.keepFor(creationId, stored);
    const linkId = await waitUntilDeadline(stored, deadline);
    // What is told of the channel is what the creation has just shown.
    this.#forgetChannels();
    return readResult(() => this.#made(linkId));
  }

  #call(
    chatId: number,
    { settings, subscriptionPrice }: LinkSpec,
    deadline: Deadline,
    sending: SendObserver,
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

  async #noteFailure(creationId: string, failure: TelegramFailure): Promise<void> {
    if (failure.kind === "unavailable" && failure.carriedOut === "maybe") {
      await this.#creationIntents.markUncertain(creationId, failure.reason);
    } else {
      await this.#creationIntents.markFailed(creationId, "reason" in failure ? failure.reason : failure.kind);
    }
  }
}

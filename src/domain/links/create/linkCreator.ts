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
import {
  checkBudget,
  checkSettings,
  checkSubscription,
  EXTERNAL_ID_TAKEN,
  externalIdProblem,
  MAX_SUBSCRIPTION_STARS,
} from "../settings.js";
import { checkTags, distinct, parseTagIds } from "../tagging/linkTags.js";
import type { CreationIntents, CreationRequest } from "./creationIntents.js";
import { type LinkSpec, storeCreatedLink } from "./storeCreatedLink.js";

export interface CreateInviteLinkInput {
  readonly chatId: number;
  readonly name: string;
  readonly createsJoinRequest: boolean;
  readonly expireDate?: Date | null | undefined;
  readonly memberLimit?: number | null | undefined;
  /** An exact decimal, in the channel's currency. */
  readonly budget: string;
  /** Global ids or bare UUIDs. */
  readonly tagIds: readonly string[];
  /** The price is in Telegram Stars for thirty days. */
  readonly subscription?: { readonly priceStars: number } | null | undefined;
  /** The caller's own id of the link; null for none. */
  readonly externalId?: string | null | undefined;
  readonly idempotencyKey?: string | null | undefined;
}

/** In code points. */
const MAX_KEY_LENGTH = 255;

/** The arguments that an idempotency key stands for, in a form that is the same for equal arguments. */
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
  // The names and their order are stored and hashed: another version of the server must find the same.
  const hashed = {
    channelId: input.chatId,
    name: input.name.toWellFormed().replaceAll("\0", " "),
    createsJoinRequest: input.createsJoinRequest,
    expireDate: input.expireDate?.toISOString() ?? null,
    memberLimit: input.memberLimit ?? null,
    budget: input.budget,
    tagIds: [...tagIds].sort(),
    priceStars: input.subscription?.priceStars ?? null,
    // Earlier versions of the server knew no external ids.
    ...(input.externalId == null
      ? {}
      : { externalId: input.externalId.toWellFormed().replaceAll("\0", " ") }),
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

/** A creation whose intent is stored: Telegram may be called now. */
interface PreparedCreation {
  readonly creationId: string;
  readonly channel: Channel;
  readonly spec: LinkSpec;
  readonly deadline: Deadline;
  /** @throws DatabaseUnavailableError if storing the intent used up the request's time. */
  readonly requireTimeLeft: () => void;
}

/**
 * Creates invite links, for one request. A creation's steps, in their order:
 *
 * 1. An idempotency key is looked up: its first call may have created the link.
 * 2. The input is checked. A channel that is not known yet is learned from Telegram.
 * 3. The creation intent is stored as PREPARED.
 * 4. The intent is marked as SENT, and Telegram is called to create the link.
 * 5. The link is stored, and in the same transaction the intent is marked as ANSWERED. This is tried again for as long as a
 *    database takes to restart, and outlasts the request if need be.
 * 6. The stored link is read and returned.
 */
export class LinkCreator {
  readonly #services: CreatorServices;
  readonly #database: Database;
  readonly #gateway: TelegramGateway;
  readonly #creationIntents: CreationIntents;
  readonly #pendingWork: PendingWork;
  readonly #guard: StorageGuard;
  readonly #log: Logger;
  readonly #caller: Caller;
  readonly #loaders: Loaders;

  constructor(services: CreatorServices, request: { caller: Caller; loaders: Loaders; log: Logger }) {
    this.#services = services;
    this.#database = services.database;
    this.#gateway = services.gateway;
    this.#creationIntents = services.creationIntents;
    this.#pendingWork = services.pendingWork;
    this.#guard = services.storageGuard;
    this.#caller = request.caller;
    this.#loaders = request.loaders;
    this.#log = request.log;
  }

  /**
   * Creates a link in Telegram and stores it. A repeated call with the same idempotency key returns the first call's link.
   * @throws ForbiddenError, ValidationError, IdempotencyConflictError; DatabaseUnavailableError if nothing was created,
   * since it could not be stored; and the errors of userErrorOf for Telegram's failures.
   */
  create(input: CreateInviteLinkInput): Promise<InviteLink> {
    return this.#pendingWork.track(this.#create(input));
  }

  async #create(input: CreateInviteLinkInput): Promise<InviteLink> {
    requireRole(this.#caller, "EDITOR");
    this.#guard.requireWritable();
    try {
      return await this.#attempt(input);
    } catch (error) {
      if (failureOf(error).kind !== "missingReference") throw error;
      // A chat migration merged the channel into another one before the intent was stored.
      this.#forgetChannels();
      return this.#attempt(input);
    }
  }

  async #attempt(input: CreateInviteLinkInput): Promise<InviteLink> {
    const problems = new Problems();
    const tagIds = parseTagIds(input.tagIds, "tagIds", problems);
    const request = toRequest(input, distinct(tagIds), problems);
    const deadline = this.#gateway.deadline();
    // The key comes first: by now the date may have passed, or the chat may be granted under another id.
    let start = problems.found
      ? null
      : await this.#creationIntents.findEarlier(this.#caller, request, deadline);
    try {
      const earlierLink =
        start && "createdLinkId" in start ? await this.#loaders.inviteLink.load(start.createdLinkId) : null;
      if (earlierLink) return earlierLink;
      const ownIntent = start && "creationId" in start ? start.creationId : null;
      const { spec, channel } = await this.#check(input, tagIds, ownIntent, deadline, problems).catch(
        async (error) => {
          // An intent that was taken over from a dead server can no longer be carried out, so its key becomes free.
          if (start && "creationId" in start && error instanceof UserError)
            await this.#creationIntents.markFailed(start.creationId, error.message);
          throw error;
        },
      );
      const requireTimeLeft = timeLimitOf(deadline);
      start ??= await this.#creationIntents.prepare(this.#caller, request, channel.id, deadline);
      if ("createdLinkId" in start) return await this.#readLink(start.createdLinkId);
      const { creationId } = start;
      return await this.#carryOut({ creationId, channel, spec, deadline, requireTimeLeft });
    } catch (error) {
      this.#guard.recordFailure(error);
      throw error;
    } finally {
      if (start && "creationId" in start) this.#creationIntents.finish(start.creationId);
    }
  }

  #forgetChannels(): void {
    this.#loaders.channelByChatId.clearAll();
    this.#loaders.channel.clearAll();
    this.#loaders.tag.clearAll();
  }

  /** Checks everything that can be checked before Telegram is called, and finds the channel. */
  async #check(
    input: CreateInviteLinkInput,
    tagIds: readonly (string | null)[],
    ownIntent: string | null,
    deadline: Deadline,
    problems: Problems,
  ): Promise<{ spec: LinkSpec; channel: Channel }> {
    requireChannel(this.#caller, input.chatId);
    const spec = await this.#checkInput(input, tagIds, ownIntent, problems);
    return { spec, channel: await this.#findChannel(input, deadline) };
  }

  async #checkInput(
    input: CreateInviteLinkInput,
    tagIds: readonly (string | null)[],
    ownIntent: string | null,
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
    const channel = await this.#loaders.channelByChatId.load(input.chatId);
    if (subscription && channel && channel.kind !== "CHANNEL") {
      problems.add("subscription", "Only channels have subscription links, not groups.");
    }
    await checkTags(tagIds, channel?.id, "tagIds", this.#loaders, problems);
    const externalId = input.externalId ?? null;
    if (externalId !== null) await this.#checkExternalId(externalId, channel, ownIntent, problems);
    problems.check();
    return {
      settings,
      subscriptionPrice: subscription?.priceStars ?? null,
      budget: input.budget,
      tagIds: distinct(tagIds),
      externalId,
    };
  }

  /**
   * Checks that no link of the channel has the external id, and that no other creation is about to take it.
   * @param ownIntent the intent of this very creation; null before it is stored.
   */
  async #checkExternalId(
    externalId: string,
    channel: Channel | null,
    ownIntent: string | null,
    problems: Problems,
  ): Promise<void> {
    const problem = externalIdProblem(externalId);
    if (problem !== null) problems.add("externalId", problem);
    if (problem !== null || channel === null) return;
    const taken = await this.#database.query(sql`
      select from invite_link where channel_id = ${channel.id}::uuid and external_id = ${externalId}
      union all
      select from link_creation where state = any('{PREPARED,SENT,UNCERTAIN}'::creation_state[])
        and channel_id = ${channel.id}::uuid and arguments ->> 'externalId' = ${externalId}
        and id is distinct from ${ownIntent}::uuid
      limit 1`);
    if (taken.length > 0) problems.add("externalId", EXTERNAL_ID_TAKEN);
  }

  /** The channel of the chat; one that is not known yet is learned from Telegram and stored. */
  async #findChannel(input: CreateInviteLinkInput, deadline: Deadline): Promise<Channel> {
    const stored = await this.#loaders.channelByChatId.load(input.chatId);
    if (stored) return stored;
    const followed = new FollowedChat(this.#services, this.#caller, input.chatId);
    const chat = await followed
      .call((chatId) => this.#gateway.getChat(chatId, deadline))
      .catch((error: unknown) => {
        throw errorOfInquiry(error, followed.id);
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

  /** Carries out an intent: calls Telegram, stores the link and reads it. */
  async #carryOut(creation: PreparedCreation): Promise<InviteLink> {
    const chat = new FollowedChat(this.#services, this.#caller, creation.channel.chatId);
    const answer = await this.#askTelegram(creation, chat);
    const linkId = await waitUntilDeadline(this.#persist(creation, chat, answer), creation.deadline);
    // The creation has just shown what the bot can do in the channel, and perhaps another chat id.
    this.#forgetChannels();
    return readResult(() => this.#readLink(linkId));
  }

  /** Asks Telegram to create the link, and marks the intent as SENT before; where that fails, marks how the intent ended. */
  async #askTelegram(creation: PreparedCreation, chat: FollowedChat): Promise<TelegramInviteLink> {
    const { creationId, spec, deadline } = creation;
    const sending = guardedSending(this.#creationIntents.sendingOf(creationId), this.#guard, deadline);
    try {
      creation.requireTimeLeft();
      return await chat.call((chatId) => this.#callTelegram(chatId, spec, deadline, sending));
    } catch (error) {
      if (!(error instanceof TelegramCallError)) {
        // The call was not sent: the database failed, or a chat migration could not be followed.
        await this.#creationIntents.markFailed(creationId, "the server failed");
        throw error;
      }
      await this.#markFailure(creationId, error.failure);
      await waitBriefly(storeStatusAfterFailure(this.#database, chat.id, error.failure));
      throw userErrorOf(error.failure, chat.id);
    }
  }

  #callTelegram(
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

  async #markFailure(creationId: string, failure: TelegramFailure): Promise<void> {
    if (failure.kind === "unavailable" && failure.carriedOut === "maybe") {
      await this.#creationIntents.markUncertain(creationId, failure.reason);
    } else {
      await this.#creationIntents.markFailed(creationId, "reason" in failure ? failure.reason : failure.kind);
    }
  }

  /** Stores the link that Telegram has created, with retries. @returns the link's id, when it is stored. */
  #persist(
    { creationId, spec }: PreparedCreation,
    chat: FollowedChat,
    answer: TelegramInviteLink,
  ): Promise<string> {
    const created = {
      creationId,
      spec,
      answer,
      caller: this.#caller,
      creatorId: this.#caller.telegramUserId,
      botId: this.#gateway.botId,
      createdAt: new Date(),
    };
    const result = {
      store: () =>
        this.#database.transaction(async (unit) => {
          const id = await storeCreatedLink(unit, created);
          await this.#creationIntents.markAnswered(unit, creationId, id);
          return id;
        }),
      // If the mark cannot be stored either, the intent stays SENT and is found abandoned, with the same outcome.
      giveUp: () => this.#creationIntents.markUncertain(creationId, "the link could not be stored"),
      answer,
      about: { creationId, chatId: chat.id },
    };
    const stored = this.#pendingWork.track(persistResult(result, this.#log, this.#guard));
    this.#guard.trackStoring(stored);
    this.#creationIntents.keepWhileStoring(creationId, stored);
    return stored;
  }

  /** Reads a link that this request, or an earlier one with its key, created. */
  async #readLink(linkId: string): Promise<InviteLink> {
    const [link] = await this.#database.query<InviteLink>(sql`
      select ${inviteLinkColumns} from invite_link l join channel c on c.id = l.channel_id
      where l.id = ${linkId}::uuid`);
    if (!link) throw new Error(`The link ${linkId} of an answered creation is not there.`);
    // Another request may have followed a chat migration, with which the caller's grant got another id.
    this.#caller.chatIds?.add(link.chatId);
    return link;
  }
}

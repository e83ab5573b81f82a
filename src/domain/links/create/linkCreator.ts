import type { Database } from "../../../database/database.js";
import { failureOf } from "../../../database/failures.js";
import { statement } from "../../../database/statement.js";
import type { Logger } from "../../../log.js";
import { TelegramCallError } from "../../../telegram/failures.js";
import type { Deadline, TelegramGateway } from "../../../telegram/gateway.js";
import type { CallerCache } from "../../access/callerCache.js";
import type { Channel } from "../../channels/channel.js";
import { FollowedChat } from "../../channels/followedChat.js";
import { isLinkable, storeChannel } from "../../channels/storeChannel.js";
import { type Caller, requireChannel, requireRole } from "../../shared/caller.js";
import type { StorageGuard } from "../../shared/databaseErrors.js";
import { Problems, UserError, ValidationError } from "../../shared/errors.js";
import type { PendingWork } from "../../shared/pendingWork.js";
import { errorOfInquiry, userErrorOf } from "../../shared/userErrorOf.js";
import { takenExternalIds } from "../externalIds.js";
import { type InviteLink, inviteLinkColumns } from "../inviteLink.js";
import type { Loaders } from "../linkLoaders.js";
import { readResult, timeLimitOf, waitUntilDeadline } from "../persistResult.js";
import { EXTERNAL_ID_TAKEN } from "../settings.js";
import { distinct, parseTagIds } from "../tagging/linkTags.js";
import type { CreationIntents, CreationRequest } from "./creationIntents.js";
import { LinkMaker, type MakerServices, type PreparedCreation } from "./linkMaker.js";
import { argumentsOf, checkIdempotencyKey, checkLink, hashOf, type RequestedLink } from "./requestedLink.js";
import type { LinkSpec } from "./storeCreatedLink.js";

export interface CreateInviteLinkInput extends RequestedLink {
  readonly chatId: number;
  readonly idempotencyKey?: string | null | undefined;
}

/** The arguments that an idempotency key stands for. */
function toRequest(
  input: CreateInviteLinkInput,
  tagIds: readonly string[],
  problems: Problems,
): CreationRequest {
  const idempotencyKey = checkIdempotencyKey(input.idempotencyKey, problems);
  const stored = argumentsOf(input.chatId, input, tagIds);
  return { idempotencyKey, argumentsHash: hashOf(stored), arguments: stored };
}

interface CreatorServices extends MakerServices {
  readonly callerCache: CallerCache;
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
  readonly #maker: LinkMaker;
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
    this.#maker = new LinkMaker(services, request.caller, request.log);
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
      // A chat migration merged the channel into another one before the intent was stored.
      const isChannelGone = failureOf(error).kind === "missingReference";
      // Another request with the key may have taken the external id meanwhile: then its link is the answer.
      const isExternalIdTaken =
        input.idempotencyKey != null &&
        error instanceof ValidationError &&
        error.fieldErrors.some(({ field }) => field === "externalId");
      if (!isChannelGone && !isExternalIdTaken) throw error;
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
      const sending = this.#creationIntents.sendingOf(creationId);
      return await this.#carryOut({ creationId, spec, deadline, requireTimeLeft, sending }, channel);
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
    const loaders = this.#loaders;
    const channel = await loaders.channelByChatId.load(input.chatId);
    const spec = await checkLink(input, tagIds, { channel, loaders, problems });
    if (spec.externalId !== null && channel) {
      // The intent of this very creation, which may have been taken over, has the external id already.
      const taken = await takenExternalIds(this.#database, channel.id, [spec.externalId], {
        creationId: ownIntent,
      });
      if (taken.size > 0) problems.add("externalId", EXTERNAL_ID_TAKEN);
    }
    problems.check();
    return spec;
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
  async #carryOut(creation: PreparedCreation, channel: Channel): Promise<InviteLink> {
    const chat = new FollowedChat(this.#services, this.#caller, channel.chatId);
    const { stored } = await this.#maker.make(creation, chat).catch((error: unknown) => {
      throw error instanceof TelegramCallError ? userErrorOf(error.failure, chat.id) : error;
    });
    const linkId = await waitUntilDeadline(stored, creation.deadline);
    // The creation has just shown what the bot can do in the channel, and perhaps another chat id.
    this.#forgetChannels();
    return readResult(() => this.#readLink(linkId));
  }

  /** Reads a link that this request, or an earlier one with its key, created. */
  async #readLink(linkId: string): Promise<InviteLink> {
    const [link] = await this.#database.query<InviteLink>(statement("link_read_created")`
      select ${inviteLinkColumns} from invite_link l join channel c on c.id = l.channel_id
      where l.id = ${linkId}::uuid`);
    if (!link) throw new Error(`The link ${linkId} of an answered creation is not there.`);
    return link;
  }
}

import sql from "sql-template-tag";
import type { Database, UnitOfWork } from "../../../database/database.js";
import type { Logger } from "../../../log.js";
import { TelegramCallError } from "../../../telegram/failures.js";
import type {
  Deadline,
  LinkSettings,
  SendObserver,
  TelegramGateway,
  TelegramInviteLink,
} from "../../../telegram/gateway.js";
import type { CallerCache } from "../../access/callerCache.js";
import { FollowedChat } from "../../channels/followedChat.js";
import { BOT_STATUS, storeFailedStanding } from "../../channels/storeChannel.js";
import { audit, type Change } from "../../shared/audit.js";
import { type Caller, requireRole } from "../../shared/caller.js";
import type { StorageGuard } from "../../shared/databaseErrors.js";
import { NotFoundError, Problems } from "../../shared/errors.js";
import { parseId } from "../../shared/ids.js";
import type { PendingWork } from "../../shared/pendingWork.js";
import { userErrorOf } from "../../shared/userErrorOf.js";
import { type InviteLink, inviteLinkColumns } from "../inviteLink.js";
import type { Loaders } from "../linkLoaders.js";
import { afterwards, guarded, inTime, persistResult, waitAMoment } from "../persistResult.js";
import {
  type ChangedSettings,
  changedSettings,
  checkBudget,
  checkEdit,
  mergeSettings,
  NO_SETTINGS,
  settingsOf,
  settledColumns,
} from "../settings.js";
import { checkTags, distinct, parseTagIds, replaceTags } from "../tagging/linkTags.js";
import type { EditLocks, LockedLink, UnconfirmedEdits } from "./editLocks.js";

/** What is left out stays as it is; null clears the name, the date and the limit, and nothing else. */
export interface UpdateInviteLinkInput {
  /** Global or bare. */
  readonly id: string;
  readonly name?: string | null | undefined;
  readonly createsJoinRequest?: boolean | null | undefined;
  readonly expireDate?: Date | null | undefined;
  readonly memberLimit?: number | null | undefined;
  /** An exact decimal. */
  readonly budget?: string | null | undefined;
  readonly tagIds?: readonly string[] | null | undefined;
}

const NEVER_NULL = ["createsJoinRequest", "budget", "tagIds"] as const;

/** What only we know of a link, as it shall be; undefined stays as it is. */
interface OwnPart {
  readonly budget?: string | undefined;
  readonly tagIds?: readonly string[] | undefined;
}

/** A link with what else decides whether its bot may change it. */
type EditableLink = InviteLink & { readonly botId: number | null };

interface EditorShared {
  readonly database: Database;
  readonly callerCache: CallerCache;
  readonly gateway: TelegramGateway;
  readonly changes: EditLocks;
  readonly underWay: PendingWork;
  readonly storageGuard: StorageGuard;
}

/** Changing links, for one request. */
export class LinkEditor {
  readonly #shared: EditorShared;
  readonly #database: Database;
  readonly #gateway: TelegramGateway;
  readonly #changes: EditLocks;
  readonly #underWay: PendingWork;
  readonly #guard: StorageGuard;
  readonly #log: Logger;
  readonly #caller: Caller;
  readonly #loaders: Loaders;

  constructor(shared: EditorShared, request: { caller: Caller; loaders: Loaders; log: Logger }) {
    this.#shared = shared;
    this.#database = shared.database;
    this.#gateway = shared.gateway;
    this.#changes = shared.changes;
    this.#underWay = shared.underWay;
    this.#guard = shared.storageGuard;
    this.#caller = request.caller;
    this.#loaders = request.loaders;
    this.#log = request.log;
  }

  /**
   * Changes a link, in Telegram only where it is something that Telegram knows of. Where nobody knows whether that was
   * carried out, doing it again puts it right.
   * @throws ForbiddenError, NotFoundError, ValidationError, and what Telegram's answers mean.
   */
  update(input: UpdateInviteLinkInput): Promise<InviteLink> {
    return this.#guarded(() => this.#update(input));
  }

  /**
   * Makes a link invalid, in Telegram and here, for good; one that is so already stays so.
   * @throws ForbiddenError, NotFoundError, ValidationError, and what Telegram's answers mean.
   */
  revoke(input: { readonly id: string }): Promise<InviteLink> {
    return this.#guarded(() => this.#revoke(input));
  }

  /** Begins nothing while nothing can be stored. */
  async #guarded<T>(change: () => Promise<T>): Promise<T> {
    requireRole(this.#caller, "EDITOR");
    this.#guard.requireWritable();
    try {
      return await this.#underWay.track(change());
    } catch (error) {
      this.#guard.noteFailure(error);
      throw error;
    }
  }

  async #update(input: UpdateInviteLinkInput): Promise<InviteLink> {
    const link = await this.#find(input.id);
    const problems = new Problems();
    for (const field of NEVER_NULL) if (input[field] === null) problems.add(field, "Must not be null.");
    if (input.budget != null) checkBudget(input.budget, problems);
    const tagIds = input.tagIds == null ? null : parseTagIds(input.tagIds, "tagIds", problems);
    if (tagIds) await checkTags(tagIds, link.channelId, "tagIds", this.#loaders, problems);
    const own = {
      budget: input.budget ?? undefined,
      tagIds: tagIds ? distinct(tagIds) : undefined,
    };
    const { name, createsJoinRequest, expireDate, memberLimit } = input;
    const isTelegrams = [name, createsJoinRequest, expireDate, memberLimit].some(
      (value) => value !== undefined,
    );
    if (isTelegrams) {
      const changed = { name, createsJoinRequest: createsJoinRequest ?? undefined, expireDate, memberLimit };
      const deadline = this.#gateway.deadline();
      await this.#changes.withLink(link.id, deadline, (claimed) =>
        this.#edit(claimed, changed, own, problems, deadline),
      );
      return afterwards(() => this.#changed(link.id));
    }
    problems.check();
    await this.#database.transaction((unit) => this.#storeOwn(unit, link, own));
    return this.#changed(link.id);
  }

  async #revoke(input: { readonly id: string }): Promise<InviteLink> {
    const { id } = await this.#find(input.id);
    const deadline = this.#gateway.deadline();
    await this.#changes.withLink(id, deadline, (claimed) => this.#makeInvalid(claimed, deadline));
    return afterwards(() => this.#changed(id));
  }

  async #find(text: string): Promise<InviteLink> {
    const problems = new Problems();
    const id = parseId("InviteLink", text, "id", problems);
    problems.check();
    const link = id && (await this.#loaders.inviteLink.load(id));
    if (!link) throw new NotFoundError("invite link");
    return link;
  }

  /** As it stands after a change. */
  async #changed(id: string): Promise<InviteLink> {
    const link = await this.#read(id);
    // A chat may have been followed to another id meanwhile, by another request too, and the caller's grant with it.
    this.#caller.channelIds?.add(link.chatId);
    this.#loaders.channel.clearAll();
    this.#loaders.channelByChatId.clearAll();
    return link;
  }

  /** @throws NotFoundError where it went with its channel. */
  async #read(id: string): Promise<EditableLink> {
    const [link] = await this.#database.query<EditableLink>(sql`
      select ${inviteLinkColumns}, l.bot_id as "botId"
      from invite_link l join channel c on c.id = l.channel_id where l.id = ${id}::uuid`);
    if (!link) throw new NotFoundError("invite link");
    return link;
  }

  /** Telegram lets a bot change its own links alone. */
  #checkOwn({ isBotCreated, botId }: EditableLink, problems: Problems): void {
    if (isBotCreated && (botId === null || botId === this.#gateway.botId)) return;
    problems.add("id", "Another administrator made this link, and Telegram lets only them change it.");
  }

  async #edit(
    claimed: LockedLink,
    changed: ChangedSettings,
    own: OwnPart,
    problems: Problems,
    deadline: Deadline,
  ): Promise<void> {
    const link = await this.#read(claimed.linkId);
    const known = settingsOf(link);
    const settings = mergeSettings(link, changed);
    // What is in doubt is sent again as it shall be; of a revoked link nothing can be any more.
    const isInDoubt = !link.isRevoked && (claimed.doubts.maybeEdited || claimed.doubts.maybeRevoked);
    const difference = changedSettings(known, settings);
    const isTelegrams = isInDoubt || Object.keys(difference).length > 0;
    if (isTelegrams) {
      this.#checkOwn(link, problems);
      checkEdit(link, changed, settings, new Date(), problems);
    }
    problems.check();
    if (!isTelegrams) return this.#database.transaction((unit) => this.#storeOwn(unit, link, own));
    const answer = await this.#call(claimed, link, "maybeEdited", deadline, (chatId, sending) =>
      link.subscriptionPrice === null
        ? this.#gateway.editInviteLink(chatId, link.url, settings, deadline, sending)
        : this.#gateway.editSubscriptionInviteLink(chatId, link.url, settings.name, deadline, sending),
    );
    if (answer === null) {
      await this.#storeRevoked(claimed, link, null, deadline);
      // As for any link that is known to be revoked.
      return this.#edit(claimed, changed, own, problems, deadline);
    }
    await this.#storeAnswer(claimed, link, answer, deadline, async (unit) => {
      const stored = await this.#storeSettings(unit, link.id, settledColumns(answer, settings));
      await this.#storeOwn(unit, stored, own, claimed.doubts.maybeEdited ? settings : difference);
    });
  }

  async #makeInvalid(claimed: LockedLink, deadline: Deadline): Promise<void> {
    const link = await this.#read(claimed.linkId);
    if (link.isRevoked) return;
    const problems = new Problems();
    this.#checkOwn(link, problems);
    problems.check();
    const answer = await this.#call(claimed, link, "maybeRevoked", deadline, (chatId, sending) =>
      this.#gateway.revokeInviteLink(chatId, link.url, deadline, sending),
    );
    await this.#storeRevoked(claimed, link, answer, deadline);
  }

  /**
   * Makes a call that changes the link in Telegram.
   * @returns what Telegram says of it; null where that is that it is revoked, as was asked for by a call before.
   * @throws what its failure means
   */
  async #call(
    claimed: LockedLink,
    link: InviteLink,
    doubt: keyof UnconfirmedEdits,
    deadline: Deadline,
    call: (chatId: number, sending: SendObserver) => Promise<TelegramInviteLink>,
  ): Promise<TelegramInviteLink | null> {
    const chat = new FollowedChat(this.#shared, this.#caller, link.chatId);
    try {
      const sending = guarded(claimed.sending(doubt), this.#guard, deadline);
      return await chat.ask((chatId) => call(chatId, sending));
    } catch (error) {
      if (!(error instanceof TelegramCallError)) {
        // It was not sent.
        await claimed.nothingDone(doubt);
        throw error;
      }
      const { failure } = error;
      if (!(failure.kind === "unavailable" && failure.carriedOut === "maybe"))
        await claimed.nothingDone(doubt);
      if (failure.kind === "noUsableLink" && claimed.doubts.maybeRevoked) return null;
      await waitAMoment(storeFailedStanding(this.#database, chat.id, failure));
      throw userErrorOf(failure, chat.id);
    }
  }

  /** @param answer null where Telegram says no more than that it is revoked. */
  async #storeRevoked(
    claimed: LockedLink,
    link: InviteLink,
    answer: TelegramInviteLink | null,
    deadline: Deadline,
  ): Promise<void> {
    // Of settings that are in doubt the answer says all there is.
    const known = claimed.doubts.maybeEdited ? NO_SETTINGS : settingsOf(link);
    const columns = answer === null ? {} : settledColumns(answer, known);
    await this.#storeAnswer(claimed, link, answer, deadline, async (unit) => {
      const { channelId } = await this.#storeSettings(unit, link.id, { ...columns, isRevoked: true });
      await audit(unit, this.#caller, {
        action: "inviteLink.revoke",
        subjectId: link.id,
        channelId,
        change: { url: link.url },
      });
    });
  }

  /** Stores what Telegram has done to the link; the request waits for it as long as it can. */
  async #storeAnswer(
    claimed: LockedLink,
    link: InviteLink,
    answer: TelegramInviteLink | null,
    deadline: Deadline,
    store: (unit: UnitOfWork) => Promise<void>,
  ): Promise<void> {
    const storing = {
      store: () => claimed.settle(store),
      // The doubt is on record already.
      giveUp: async () => {},
      answer,
      about: { linkId: link.id },
    };
    const stored = this.#underWay.track(persistResult(storing, this.#log, this.#guard));
    this.#guard.trackStoring(stored);
    claimed.keepFor(stored);
    await inTime(stored, deadline);
  }

  /** @returns the link with the channel it is in by now: following a chat may have made one channel of two. */
  async #storeSettings(
    unit: UnitOfWork,
    id: string,
    columns: Partial<ReturnType<typeof settledColumns>>,
  ): Promise<Pick<InviteLink, "id" | "channelId">> {
    const updatedAt = new Date();
    const { channelId, channel } = await unit.prisma.inviteLink.update({
      where: { id },
      data: { ...columns, updatedAt },
      select: { channelId: true, channel: { select: { botStatus: true } } },
    });
    if (channel.botStatus !== BOT_STATUS.ready) {
      await unit.prisma.channel.update({
        where: { id: channelId },
        data: { botStatus: BOT_STATUS.ready, updatedAt },
      });
    }
    return { id, channelId };
  }

  /** Stores what only we know of a link, where it is not so already. @param settings what Telegram has changed, if anything */
  async #storeOwn(
    unit: UnitOfWork,
    { id, channelId }: Pick<InviteLink, "id" | "channelId">,
    own: OwnPart,
    settings: Partial<LinkSettings> = {},
  ): Promise<void> {
    const change: Record<string, unknown> = { ...settings };
    if (own.budget !== undefined) {
      const changed = await unit.execute(sql`
        update invite_link set budget = ${own.budget}::numeric, updated_at = now()
        where id = ${id}::uuid and budget <> ${own.budget}::numeric`);
      if (changed > 0) change["budget"] = own.budget;
    }
    if (own.tagIds) {
      const changed = await replaceTags(unit, { linkIds: [id], tagIds: own.tagIds });
      if (changed.length > 0) change["tagIds"] = own.tagIds;
    }
    if (Object.keys(change).length === 0) return;
    await audit(unit, this.#caller, {
      action: "inviteLink.update",
      subjectId: id,
      channelId,
      change: change as Change["change"],
    });
  }
}

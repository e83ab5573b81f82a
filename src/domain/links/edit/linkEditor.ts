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
import { BOT_STATUS, storeStatusAfterFailure } from "../../channels/storeChannel.js";
import { type AuditEntry, audit } from "../../shared/audit.js";
import { type Caller, requireRole } from "../../shared/caller.js";
import type { StorageGuard } from "../../shared/databaseErrors.js";
import { NotFoundError, Problems } from "../../shared/errors.js";
import { parseId } from "../../shared/ids.js";
import type { PendingWork } from "../../shared/pendingWork.js";
import { userErrorOf } from "../../shared/userErrorOf.js";
import { type InviteLink, inviteLinkColumns } from "../inviteLink.js";
import type { Loaders } from "../linkLoaders.js";
import {
  guardedSending,
  persistResult,
  readResult,
  waitBriefly,
  waitUntilDeadline,
} from "../persistResult.js";
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

interface EditorServices {
  readonly database: Database;
  readonly callerCache: CallerCache;
  readonly gateway: TelegramGateway;
  readonly editLocks: EditLocks;
  readonly pendingWork: PendingWork;
  readonly storageGuard: StorageGuard;
}

/** Changing links, for one request. */
export class LinkEditor {
  readonly #shared: EditorServices;
  readonly #database: Database;
  readonly #gateway: TelegramGateway;
  readonly #editLocks: EditLocks;
  readonly #pendingWork: PendingWork;
  readonly #guard: StorageGuard;
  readonly #log: Logger;
  readonly #caller: Caller;
  readonly #loaders: Loaders;

  constructor(shared: EditorServices, request: { caller: Caller; loaders: Loaders; log: Logger }) {
    this.#shared = shared;
    this.#database = shared.database;
    this.#gateway = shared.gateway;
    this.#editLocks = shared.editLocks;
    this.#pendingWork = shared.pendingWork;
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
    return this.#whileWritable(() => this.#update(input));
  }

  /**
   * Makes a link invalid, in Telegram and here, for good; one that is so already stays so.
   * @throws ForbiddenError, NotFoundError, ValidationError, and what Telegram's answers mean.
   */
  revoke(input: { readonly id: string }): Promise<InviteLink> {
    return this.#whileWritable(() => this.#revoke(input));
  }

  /** Begins nothing while nothing can be stored. */
  async #whileWritable<T>(change: () => Promise<T>): Promise<T> {
    requireRole(this.#caller, "EDITOR");
    this.#guard.requireWritable();
    try {
      return await this.#pendingWork.track(change());
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
      await this.#editLocks.withLink(link.id, deadline, (locked) =>
        this.#edit(locked, changed, own, problems, deadline),
      );
      return readResult(() => this.#changed(link.id));
    }
    problems.check();
    await this.#database.transaction((unit) => this.#storeOwn(unit, link, own));
    return this.#changed(link.id);
  }

  async #revoke(input: { readonly id: string }): Promise<InviteLink> {
    const { id } = await this.#find(input.id);
    const deadline = this.#gateway.deadline();
    await this.#editLocks.withLink(id, deadline, (locked) => this.#makeInvalid(locked, deadline));
    return readResult(() => this.#changed(id));
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
    locked: LockedLink,
    changed: ChangedSettings,
    own: OwnPart,
    problems: Problems,
    deadline: Deadline,
  ): Promise<void> {
    const link = await this.#read(locked.linkId);
    const known = settingsOf(link);
    const settings = mergeSettings(link, changed);
    // What is in doubt is sent again as it shall be; of a revoked link nothing can be any more.
    const isInDoubt = !link.isRevoked && (locked.doubts.maybeEdited || locked.doubts.maybeRevoked);
    const difference = changedSettings(known, settings);
    const isTelegrams = isInDoubt || Object.keys(difference).length > 0;
    if (isTelegrams) {
      this.#checkOwn(link, problems);
      checkEdit(link, changed, settings, new Date(), problems);
    }
    problems.check();
    if (!isTelegrams) return this.#database.transaction((unit) => this.#storeOwn(unit, link, own));
    const answer = await this.#call(locked, link, "maybeEdited", deadline, (chatId, sending) =>
      link.subscriptionPrice === null
        ? this.#gateway.editInviteLink(chatId, link.url, settings, deadline, sending)
        : this.#gateway.editSubscriptionInviteLink(chatId, link.url, settings.name, deadline, sending),
    );
    if (answer === null) {
      await this.#storeRevoked(locked, link, null, deadline);
      // As for any link that is known to be revoked.
      return this.#edit(locked, changed, own, problems, deadline);
    }
    await this.#storeAnswer(locked, link, answer, deadline, async (unit) => {
      const stored = await this.#storeSettings(unit, link.id, settledColumns(answer, settings));
      await this.#storeOwn(unit, stored, own, locked.doubts.maybeEdited ? settings : difference);
    });
  }

  async #makeInvalid(locked: LockedLink, deadline: Deadline): Promise<void> {
    const link = await this.#read(locked.linkId);
    if (link.isRevoked) return;
    const problems = new Problems();
    this.#checkOwn(link, problems);
    problems.check();
    const answer = await this.#call(locked, link, "maybeRevoked", deadline, (chatId, sending) =>
      this.#gateway.revokeInviteLink(chatId, link.url, deadline, sending),
    );
    await this.#storeRevoked(locked, link, answer, deadline);
  }

  /**
   * Makes a call that changes the link in Telegram.
   * @returns what Telegram says of it; null where that is that it is revoked, as was asked for by a call before.
   * @throws what its failure means
   */
  async #call(
    locked: LockedLink,
    link: InviteLink,
    doubt: keyof UnconfirmedEdits,
    deadline: Deadline,
    call: (chatId: number, sending: SendObserver) => Promise<TelegramInviteLink>,
  ): Promise<TelegramInviteLink | null> {
    const chat = new FollowedChat(this.#shared, this.#caller, link.chatId);
    try {
      const sending = guardedSending(locked.sending(doubt), this.#guard, deadline);
      return await chat.ask((chatId) => call(chatId, sending));
    } catch (error) {
      if (!(error instanceof TelegramCallError)) {
        // It was not sent.
        await locked.nothingDone(doubt);
        throw error;
      }
      const { failure } = error;
      if (!(failure.kind === "unavailable" && failure.carriedOut === "maybe"))
        await locked.nothingDone(doubt);
      if (failure.kind === "noUsableLink" && locked.doubts.maybeRevoked) return null;
      await waitBriefly(storeStatusAfterFailure(this.#database, chat.id, failure));
      throw userErrorOf(failure, chat.id);
    }
  }

  /** @param answer null where Telegram says no more than that it is revoked. */
  async #storeRevoked(
    locked: LockedLink,
    link: InviteLink,
    answer: TelegramInviteLink | null,
    deadline: Deadline,
  ): Promise<void> {
    // Of settings that are in doubt the answer says all there is.
    const known = locked.doubts.maybeEdited ? NO_SETTINGS : settingsOf(link);
    const columns = answer === null ? {} : settledColumns(answer, known);
    await this.#storeAnswer(locked, link, answer, deadline, async (unit) => {
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
    locked: LockedLink,
    link: InviteLink,
    answer: TelegramInviteLink | null,
    deadline: Deadline,
    store: (unit: UnitOfWork) => Promise<void>,
  ): Promise<void> {
    const storing = {
      store: () => locked.settle(store),
      // The doubt is on record already.
      giveUp: async () => {},
      answer,
      about: { linkId: link.id },
    };
    const stored = this.#pendingWork.track(persistResult(storing, this.#log, this.#guard));
    this.#guard.trackStoring(stored);
    locked.keepFor(stored);
    await waitUntilDeadline(stored, deadline);
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
      change: change as AuditEntry["change"],
    });
  }
}

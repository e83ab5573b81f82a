import type { Database, UnitOfWork } from "../../../database/database.js";
import { statement } from "../../../database/statement.js";
import type { Logger } from "../../../log.js";
import { TelegramCallError } from "../../../telegram/failures.js";
import type {
  Deadline,
  SendObserver,
  TelegramGateway,
  TelegramInviteLink,
} from "../../../telegram/gateway.js";
import type { CallerCache } from "../../access/callerCache.js";
import { FollowedChat } from "../../channels/followedChat.js";
import { BOT_STATUS, storeStatusAfterFailure } from "../../channels/storeChannel.js";
import { type AuditEntry, audit, differences } from "../../shared/audit.js";
import { type Caller, requireRole } from "../../shared/caller.js";
import type { StorageGuard } from "../../shared/databaseErrors.js";
import { NotFoundError, Problems, ValidationError } from "../../shared/errors.js";
import { parseId } from "../../shared/ids.js";
import type { PendingWork } from "../../shared/pendingWork.js";
import { userErrorOf } from "../../shared/userErrorOf.js";
import { lockExternalIds, takenExternalIds } from "../externalIds.js";
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
  EXTERNAL_ID_TAKEN,
  externalIdColumns,
  externalIdProblem,
  mergeSettings,
  NO_SETTINGS,
  settingsOf,
  shownSettings,
  storedSettings,
} from "../settings.js";
import { checkTags, distinct, parseTagIds, replaceTags } from "../tagging/linkTags.js";
import type { EditLocks, LockedLink, UnconfirmedEdits } from "./editLocks.js";

/**
 * A field left out keeps its value. Null clears the name, the date, the member limit and the external id, and is refused
 * elsewhere.
 */
export interface UpdateInviteLinkInput {
  /** A global id or a bare UUID. */
  readonly id: string;
  readonly name?: string | null | undefined;
  readonly createsJoinRequest?: boolean | null | undefined;
  readonly expireDate?: Date | null | undefined;
  readonly memberLimit?: number | null | undefined;
  /** An exact decimal, in the channel's currency. */
  readonly budget?: string | null | undefined;
  /** All tags that the link is to carry. */
  readonly tagIds?: readonly string[] | null | undefined;
  readonly externalId?: string | null | undefined;
}

const NEVER_NULL = ["createsJoinRequest", "budget", "tagIds"] as const;

/** The fields of a link that Telegram does not have; undefined keeps a field's value. */
interface OwnFields {
  readonly budget?: string | undefined;
  readonly tagIds?: readonly string[] | undefined;
  /** Null clears it. */
  readonly externalId?: string | null | undefined;
}

/** A link with the bot that created it; null if that was not stored. */
type EditableLink = InviteLink & { readonly botId: number | null };

/** Whether an external id is taken in a link's channel by something else than the link. */
async function isTaken(
  database: Pick<UnitOfWork, "query">,
  { id, channelId, externalId }: Pick<InviteLink, "id" | "channelId"> & { readonly externalId: string },
): Promise<boolean> {
  return (await takenExternalIds(database, channelId, [externalId], { linkId: id })).size > 0;
}

/**
 * Lets nobody else give external ids in a link's channel.
 * @returns the channel, which a chat migration may have merged into another one meanwhile
 * @throws NotFoundError
 */
async function lockExternalIdsOf(
  unit: UnitOfWork,
  { id, channelId }: Pick<InviteLink, "id" | "channelId">,
): Promise<string> {
  await lockExternalIds(unit, [channelId]);
  const [link] = await unit.query<{ channelId: string }>(statement("link_edit_channel")`
    select channel_id as "channelId" from invite_link where id = ${id}::uuid`);
  if (!link) throw new NotFoundError("invite link");
  if (link.channelId !== channelId) await lockExternalIds(unit, [link.channelId]);
  return link.channelId;
}

interface EditorServices {
  readonly database: Database;
  readonly callerCache: CallerCache;
  readonly gateway: TelegramGateway;
  readonly editLocks: EditLocks;
  readonly pendingWork: PendingWork;
  readonly storageGuard: StorageGuard;
}

/**
 * Edits and revokes invite links, for one request. An edit's steps, in their order:
 *
 * 1. The link is looked up, and the fields that Telegram does not have (budget, tags, external id) are checked.
 * 2. If nothing else is to change, they are stored, and Telegram is not called. Otherwise:
 * 3. The link's edit lock is taken, and the link is read again.
 * 4. The settings are merged and checked. Where nothing differs and nothing is unconfirmed, Telegram is not called.
 * 5. The edit is recorded as unconfirmed, and Telegram is called.
 * 6. The answer is stored, and in the same transaction the record is removed. This is tried again until the database is back,
 *    and outlasts the request if need be.
 * 7. The lock is given back, and the stored link is read and returned.
 */
export class LinkEditor {
  readonly #services: EditorServices;
  readonly #database: Database;
  readonly #gateway: TelegramGateway;
  readonly #editLocks: EditLocks;
  readonly #pendingWork: PendingWork;
  readonly #guard: StorageGuard;
  readonly #log: Logger;
  readonly #caller: Caller;
  readonly #loaders: Loaders;

  constructor(services: EditorServices, request: { caller: Caller; loaders: Loaders; log: Logger }) {
    this.#services = services;
    this.#database = services.database;
    this.#gateway = services.gateway;
    this.#editLocks = services.editLocks;
    this.#pendingWork = services.pendingWork;
    this.#guard = services.storageGuard;
    this.#caller = request.caller;
    this.#loaders = request.loaders;
    this.#log = request.log;
  }

  /**
   * Edits a link, in Telegram only if the fields are Telegram's. If the outcome is unknown, repeating the edit corrects the
   * link.
   * @throws ForbiddenError, NotFoundError, ValidationError, RateLimitedError, DatabaseUnavailableError, and the errors of
   * userErrorOf for Telegram's failures.
   */
  update(input: UpdateInviteLinkInput): Promise<InviteLink> {
    return this.#run(() => this.#update(input));
  }

  /**
   * Revokes a link for good, in Telegram and here. A link that is revoked already stays so.
   * @throws as `update`.
   */
  revoke(input: { readonly id: string }): Promise<InviteLink> {
    return this.#run(() => this.#revoke(input));
  }

  /** Checks the role, and begins nothing while nothing can be stored. */
  async #run<T>(work: () => Promise<T>): Promise<T> {
    requireRole(this.#caller, "EDITOR");
    this.#guard.requireWritable();
    try {
      return await this.#pendingWork.track(work());
    } catch (error) {
      this.#guard.recordFailure(error);
      throw error;
    }
  }

  async #update(input: UpdateInviteLinkInput): Promise<InviteLink> {
    const link = await this.#find(input.id);
    const problems = new Problems();
    const own = await this.#checkOwnFields(link, input, problems);
    const { name, createsJoinRequest, expireDate, memberLimit } = input;
    const isForTelegram = [name, createsJoinRequest, expireDate, memberLimit].some(
      (value) => value !== undefined,
    );
    if (isForTelegram) {
      const changed = { name, createsJoinRequest: createsJoinRequest ?? undefined, expireDate, memberLimit };
      const deadline = this.#gateway.deadline();
      await this.#editLocks.withLink(link.id, deadline, (locked) =>
        this.#editLocked(locked, changed, own, problems, deadline),
      );
      return readResult(() => this.#readEdited(link.id));
    }
    problems.check();
    await this.#storeOwnFieldsAlone(link, own);
    return this.#readEdited(link.id);
  }

  async #revoke(input: { readonly id: string }): Promise<InviteLink> {
    const { id } = await this.#find(input.id);
    const deadline = this.#gateway.deadline();
    await this.#editLocks.withLink(id, deadline, (locked) => this.#revokeLocked(locked, deadline));
    return readResult(() => this.#readEdited(id));
  }

  async #find(globalOrBareId: string): Promise<InviteLink> {
    const problems = new Problems();
    const id = parseId("InviteLink", globalOrBareId, "id", problems);
    problems.check();
    const link = id && (await this.#loaders.inviteLink.load(id));
    if (!link) throw new NotFoundError("invite link");
    return link;
  }

  async #checkOwnFields(
    link: InviteLink,
    input: UpdateInviteLinkInput,
    problems: Problems,
  ): Promise<OwnFields> {
    for (const field of NEVER_NULL) if (input[field] === null) problems.add(field, "Must not be null.");
    if (input.budget != null) checkBudget(input.budget, problems);
    const tagIds = input.tagIds == null ? null : parseTagIds(input.tagIds, "tagIds", problems);
    if (tagIds) await checkTags(tagIds, link.channelId, "tagIds", this.#loaders, problems);
    if (input.externalId != null) await this.#checkExternalId(link, input.externalId, problems);
    return {
      budget: input.budget ?? undefined,
      tagIds: tagIds ? distinct(tagIds) : undefined,
      externalId: input.externalId,
    };
  }

  async #checkExternalId(
    { id, channelId }: InviteLink,
    externalId: string,
    problems: Problems,
  ): Promise<void> {
    const problem = externalIdProblem(externalId);
    if (problem !== null) problems.add("externalId", problem);
    else if (await isTaken(this.#database, { id, channelId, externalId }))
      problems.add("externalId", EXTERNAL_ID_TAKEN);
  }

  /** Edits a link whose edit lock is held. */
  async #editLocked(
    locked: LockedLink,
    changed: ChangedSettings,
    own: OwnFields,
    problems: Problems,
    deadline: Deadline,
  ): Promise<void> {
    const link = await this.#read(locked.linkId);
    const settings = mergeSettings(link, changed);
    const difference = changedSettings(settingsOf(link), settings);
    // After an unconfirmed edit the whole state is sent, even if nothing differs. A revoked link cannot be edited.
    const isUnconfirmed =
      !link.isRevoked && (locked.unconfirmed.maybeEdited || locked.unconfirmed.maybeRevoked);
    const isForTelegram = isUnconfirmed || Object.keys(difference).length > 0;
    if (isForTelegram) {
      this.#checkBot(link, problems);
      checkEdit(link, changed, settings, new Date(), problems);
    }
    problems.check();
    if (!isForTelegram) return this.#storeOwnFieldsAlone(link, own);
    const answer = await this.#askTelegram(locked, link, "maybeEdited", deadline, (chatId, sending) =>
      link.subscriptionPrice === null
        ? this.#gateway.editInviteLink(chatId, link.url, settings, deadline, sending)
        : this.#gateway.editSubscriptionInviteLink(chatId, link.url, settings.name, deadline, sending),
    );
    if (answer === null) {
      await this.#persistRevocation(locked, link, null, deadline);
      // The link is stored as revoked by now, so this reports what an edit of a revoked link reports.
      return this.#editLocked(locked, changed, own, problems, deadline);
    }
    await this.#persist(locked, link, answer, deadline, async (unit) => {
      if (own.externalId != null) await lockExternalIdsOf(unit, link);
      const stored = await this.#storeSettings(unit, link.id, storedSettings(answer, settings));
      // Telegram has edited the link by now. If another link got the external id meanwhile, the rest is stored.
      const taken =
        own.externalId != null && (await isTaken(unit, { ...stored, externalId: own.externalId }));
      const free = taken ? { ...own, externalId: undefined } : own;
      await this.#storeOwnFields(
        unit,
        link.id,
        free,
        differences(shownSettings(settingsOf(link)), shownSettings(settings)),
      );
    });
  }

  /** Revokes a link whose edit lock is held. */
  async #revokeLocked(locked: LockedLink, deadline: Deadline): Promise<void> {
    const link = await this.#read(locked.linkId);
    if (link.isRevoked) return;
    const problems = new Problems();
    this.#checkBot(link, problems);
    problems.check();
    const answer = await this.#askTelegram(locked, link, "maybeRevoked", deadline, (chatId, sending) =>
      this.#gateway.revokeInviteLink(chatId, link.url, deadline, sending),
    );
    await this.#persistRevocation(locked, link, answer, deadline);
  }

  /** Telegram lets a bot edit only the links that it created. */
  #checkBot({ isBotCreated, botId }: EditableLink, problems: Problems): void {
    if (isBotCreated && (botId === null || botId === this.#gateway.botId)) return;
    problems.add("id", "Another administrator made this link, and Telegram lets only them change it.");
  }

  /**
   * Makes a call that edits or revokes the link, recorded as unconfirmed before it is sent.
   * @returns Telegram's answer; null if Telegram refuses because the link is revoked, and an unconfirmed revocation
   * explains why.
   * @throws userErrorOf the call's failure
   */
  async #askTelegram(
    locked: LockedLink,
    link: InviteLink,
    kind: keyof UnconfirmedEdits,
    deadline: Deadline,
    call: (chatId: number, sending: SendObserver) => Promise<TelegramInviteLink>,
  ): Promise<TelegramInviteLink | null> {
    const chat = new FollowedChat(this.#services, this.#caller, link.chatId);
    try {
      const sending = guardedSending(locked.sending(kind), this.#guard, deadline);
      return await chat.call((chatId) => call(chatId, sending));
    } catch (error) {
      if (!(error instanceof TelegramCallError)) {
        // The call was not sent.
        await locked.removeRecord(kind);
        throw error;
      }
      const { failure } = error;
      if (!(failure.kind === "unavailable" && failure.carriedOut === "maybe"))
        await locked.removeRecord(kind);
      if (failure.kind === "noUsableLink" && locked.unconfirmed.maybeRevoked) return null;
      await waitBriefly(storeStatusAfterFailure(this.#database, chat.id, failure));
      throw userErrorOf(failure, chat.id);
    }
  }

  /** @param answer null if Telegram has only refused a call because the link is revoked. */
  async #persistRevocation(
    locked: LockedLink,
    link: InviteLink,
    answer: TelegramInviteLink | null,
    deadline: Deadline,
  ): Promise<void> {
    // After an unconfirmed edit the stored settings may be wrong, so those that the answer leaves out count as none.
    const stored = locked.unconfirmed.maybeEdited ? NO_SETTINGS : settingsOf(link);
    const columns = answer === null ? {} : storedSettings(answer, stored);
    await this.#persist(locked, link, answer, deadline, async (unit) => {
      const { channelId } = await this.#storeSettings(unit, link.id, { ...columns, isRevoked: true });
      await audit(unit, this.#caller, {
        action: "inviteLink.revoke",
        subjectId: link.id,
        channelId,
        change: { url: link.url, isRevoked: { from: false, to: true } },
      });
    });
  }

  /** Stores what Telegram has done to the link, with retries; waits for that until the deadline. */
  async #persist(
    locked: LockedLink,
    link: InviteLink,
    answer: TelegramInviteLink | null,
    deadline: Deadline,
    store: (unit: UnitOfWork) => Promise<void>,
  ): Promise<void> {
    const result = {
      store: () => locked.confirm(store),
      // The edit stays on record as unconfirmed.
      giveUp: async () => {},
      answer,
      about: { linkId: link.id },
    };
    const stored = this.#pendingWork.track(persistResult(result, this.#log, this.#services));
    this.#guard.trackStoring(stored);
    locked.keepWhileStoring(stored);
    await waitUntilDeadline(stored, deadline);
  }

  /**
   * Stores the settings that Telegram has, and that the bot is able to edit links in the channel.
   * @returns the link with its channel, which a chat migration may have merged into another one meanwhile.
   */
  async #storeSettings(
    unit: UnitOfWork,
    id: string,
    columns: Partial<ReturnType<typeof storedSettings>>,
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

  /** @throws ValidationError where the external id was taken since it was checked. */
  async #storeOwnFieldsAlone(link: Pick<InviteLink, "id" | "channelId">, own: OwnFields): Promise<void> {
    const { externalId } = own;
    await this.#database.transaction(async (unit) => {
      if (externalId != null) {
        const channelId = await lockExternalIdsOf(unit, link);
        if (await isTaken(unit, { id: link.id, channelId, externalId }))
          throw new ValidationError([{ field: "externalId", message: EXTERNAL_ID_TAKEN }]);
      }
      await this.#storeOwnFields(unit, link.id, own);
    });
  }

  /**
   * Stores the budget, the tags and the external id where they differ, and one audit entry for the whole edit.
   * @param settings the settings that Telegram has changed, for the audit entry.
   */
  async #storeOwnFields(
    unit: UnitOfWork,
    id: string,
    own: OwnFields,
    settings: AuditEntry["change"] = {},
  ): Promise<void> {
    // A chat migration may have merged the channel into another one while this waited for the lock.
    const [locked] = await unit.query<{
      channelId: string;
      budget: string;
      externalId: string | null;
    }>(statement("link_edit_lock_own_fields")`
      select channel_id as "channelId", budget, external_id as "externalId" from invite_link
      where id = ${id}::uuid for no key update`);
    if (!locked) throw new NotFoundError("invite link");
    const { channelId, ...was } = locked;
    const became = { budget: own.budget ?? was.budget, externalId: own.externalId ?? null };
    if (own.externalId === undefined) became.externalId = was.externalId;
    const ownChange = differences(was, became);
    if (Object.keys(ownChange).length > 0) {
      const { externalId, externalIdKey } = externalIdColumns(became.externalId);
      await unit.execute(statement("link_edit_store_own_fields")`
        update invite_link set budget = ${became.budget}::numeric, external_id = ${externalId},
          external_id_key = ${externalIdKey}, updated_at = now()
        where id = ${id}::uuid`);
    }
    const [tags] = own.tagIds ? await replaceTags(unit, { linkIds: [id], tagIds: own.tagIds }) : [];
    const { addTagIds, removeTagIds } = tags ?? {};
    const change = { ...settings, ...ownChange, ...(tags && { addTagIds, removeTagIds }) };
    if (Object.keys(change).length === 0) return;
    await audit(unit, this.#caller, { action: "inviteLink.update", subjectId: id, channelId, change });
  }

  /** Reads the link after its edit. */
  async #readEdited(id: string): Promise<InviteLink> {
    const link = await this.#read(id);
    // This request or another one may have followed a chat migration.
    this.#loaders.channel.clearAll();
    this.#loaders.channelByChatId.clearAll();
    return link;
  }

  /** @throws NotFoundError if the link was deleted with its channel meanwhile. */
  async #read(id: string): Promise<EditableLink> {
    const [link] = await this.#database.query<EditableLink>(statement("link_edit_read")`
      select ${inviteLinkColumns}, l.bot_id as "botId"
      from invite_link l join channel c on c.id = l.channel_id where l.id = ${id}::uuid`);
    if (!link) throw new NotFoundError("invite link");
    return link;
  }
}

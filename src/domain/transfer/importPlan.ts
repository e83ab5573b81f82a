import type { Prisma } from "../../database/generated/prisma/client.js";
import { externalIdColumns } from "../links/settings.js";
import { type AuditAction, type AuditEntry, differences, type Scalar } from "../shared/audit.js";
import { newId } from "../shared/ids.js";
import { foldName } from "../shared/text.js";
import { defaultColor } from "./colors.js";
import {
  type ExistingLink,
  type ExistingRows,
  keyOfExternalId,
  keyOfTag,
  type RowIds,
} from "./existingRows.js";
import {
  keyOfLink,
  type LinkFields,
  type TransferFields,
  type TransferLink,
  type TransferTag,
  type TransferTags,
} from "./transferLink.js";

/** A link to insert, with its folded name. */
export interface NewLink extends LinkFields {
  readonly id: string;
  readonly channelId: string;
  readonly url: string;
  readonly nameKey: string | null;
  readonly externalIdKey: string | null;
}

export interface LinkTag {
  readonly linkId: string;
  readonly tagId: string;
  readonly channelId: string;
  readonly typeId: string;
}

/** The rows to write for a batch of links, in one transaction. */
export interface ImportPlan {
  readonly channels: Prisma.ChannelCreateManyInput[];
  readonly types: Prisma.TagTypeCreateManyInput[];
  readonly tags: Prisma.TagCreateManyInput[];
  readonly links: NewLink[];
  readonly updates: { readonly id: string; readonly data: Prisma.InviteLinkUpdateManyMutationInput }[];
  readonly addedTags: LinkTag[];
  readonly removedTags: { readonly linkId: string; readonly tagId: string }[];
  readonly auditEntries: AuditEntry[];
}

/**
 * Chat ids of channels and supergroups are below this one, those of ordinary groups above. Only Telegram distinguishes a
 * channel from a supergroup.
 */
const FIRST_LARGE_CHAT_ID = -1_000_000_000_000;

/** The fields of a new link whose record leaves them out. */
const DEFAULTS = {
  name: null,
  budget: "0.00",
  creatorId: null,
  expireDate: null,
  memberLimit: null,
  createsJoinRequest: false,
  subscriptionPrice: null,
  isBotCreated: true,
  isRevoked: false,
  externalId: null,
} as const satisfies Omit<LinkFields, "createdAt">;

/** The fields that a record has. */
function presentFields(fields: TransferFields): Partial<LinkFields> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

const keyOfName = (name: string | null): string | null => (name === null ? null : foldName(name));

/** The columns of a link for some of its fields. */
function columnsOf({ creatorId, ...fields }: Partial<LinkFields>) {
  return {
    ...fields,
    ...(fields.name === undefined ? {} : { nameKey: keyOfName(fields.name) }),
    ...(fields.externalId === undefined ? {} : externalIdColumns(fields.externalId)),
    ...(creatorId === undefined ? {} : { creatorId: creatorId === null ? null : BigInt(creatorId) }),
  };
}

/** A column's value as text, by which values of all types are compared. */
function textOf(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  return String(value);
}

/** Columns that follow from others. */
const KEYS: readonly string[] = ["nameKey", "externalIdKey"];

/** A column's value as an audit entry shows it. */
function shown(value: unknown): Scalar {
  if (value instanceof Date) return value.toISOString();
  return typeof value === "bigint" ? Number(value) : (value as Scalar);
}

/** Plans what to write for a batch in which no link occurs twice. Rows that are planned count as existing from then on. */
export class ImportPlanner {
  readonly plan: ImportPlan = {
    channels: [],
    types: [],
    tags: [],
    links: [],
    updates: [],
    addedTags: [],
    removedTags: [],
    auditEntries: [],
  };
  readonly #existing: ExistingRows;
  readonly #now: Date;

  constructor(existing: ExistingRows, now: Date) {
    this.#existing = existing;
    this.#now = now;
  }

  /** The stored link; undefined for one that does not exist yet. */
  find(link: TransferLink): ExistingLink | undefined {
    const channelId = this.#existing.channels.get(link.chatId);
    return channelId === undefined ? undefined : this.#existing.links.get(keyOfLink(channelId, link.url));
  }

  /**
   * Whether another link of the channel has the external id of a record, or is planned to have it. An external id that the
   * batch takes from another link counts as taken until the batch is stored.
   */
  isExternalIdTaken({ chatId, url, fields: { externalId } }: TransferLink): boolean {
    const channelId = this.#existing.channels.get(chatId);
    if (externalId == null || channelId === undefined) return false;
    return this.#existing.externalIds.isTaken(keyOfExternalId(channelId, externalId), url);
  }

  /** The tag types of a record that do not exist, as the record names them. */
  unknownTypes({ tags }: TransferLink): string[] {
    const names = (tags?.tags ?? []).map(({ type }) => type);
    return [...new Set(names.filter((name) => this.#existing.types.get(foldName(name)) === undefined))];
  }

  #takeExternalId(channelId: string, url: string, externalId: string | null | undefined): void {
    if (externalId != null) this.#existing.externalIds.take(keyOfExternalId(channelId, externalId), url);
  }

  /** Plans a link that does not exist yet. */
  add(link: TransferLink): void {
    const channelId = this.#channel(link.chatId);
    const id = newId();
    const fields = { ...DEFAULTS, createdAt: this.#now, ...presentFields(link.fields) };
    const tagIds = this.#addTags({ id, channelId }, link.tags, []);
    this.#takeExternalId(channelId, link.url, fields.externalId);
    this.plan.links.push({
      id,
      channelId,
      url: link.url,
      nameKey: keyOfName(fields.name),
      ...fields,
      ...externalIdColumns(fields.externalId),
    });
    this.#audit("inviteLink.import", id, channelId, {
      url: link.url,
      name: fields.name,
      budget: fields.budget,
      tagIds,
      ...(fields.externalId === null ? {} : { externalId: fields.externalId }),
    });
  }

  /**
   * Plans the changes of an existing link to what its record has. Telegram has a link of this server's own bot as it is
   * stored here, so for such a link only the budget, the tags and the external id are taken from the record.
   * @returns whether anything changes.
   */
  update(existing: ExistingLink, { fields, tags }: TransferLink): boolean {
    const columns = columnsOf(
      presentFields(
        existing.botId === null ? fields : { budget: fields.budget, externalId: fields.externalId },
      ),
    );
    const was = { ...existing, budget: existing.budget.toFixed(2) };
    const names = (Object.keys(columns) as (keyof typeof columns)[]).filter(
      (name) => textOf(was[name]) !== textOf(columns[name]),
    );
    const data = Object.fromEntries(names.map((name) => [name, columns[name]]));
    const addTagIds = tags
      ? this.#addTags(
          existing,
          tags,
          existing.tags.map(({ tagId }) => tagId),
        )
      : [];
    const removeTagIds = tags ? this.#removeTags(existing, tags) : [];
    if (names.length + addTagIds.length + removeTagIds.length === 0) return false;
    this.#takeExternalId(existing.channelId, existing.url, fields.externalId);
    this.plan.updates.push({ id: existing.id, data: { ...data, updatedAt: this.#now } });
    const shownOf = (link: Partial<Record<string, unknown>>) =>
      Object.fromEntries(
        names.filter((name) => !KEYS.includes(name)).map((name) => [name, shown(link[name])]),
      );
    this.#audit("inviteLink.update", existing.id, existing.channelId, {
      ...differences(shownOf(was), shownOf(columns)),
      ...(addTagIds.length > 0 ? { addTagIds } : {}),
      ...(removeTagIds.length > 0 ? { removeTagIds } : {}),
    });
    return true;
  }

  /** Plans the tags that a link does not carry yet. @returns their ids. */
  #addTags(
    { id, channelId }: { readonly id: string; readonly channelId: string },
    tags: TransferTags | undefined,
    carried: readonly string[],
  ): string[] {
    const added = new Map((tags?.tags ?? []).map((tag) => this.#tag(channelId, tag)));
    for (const tagId of carried) added.delete(tagId);
    for (const [tagId, typeId] of added) this.plan.addedTags.push({ linkId: id, tagId, channelId, typeId });
    return [...added.keys()];
  }

  /** Plans the removal of the tags that a link carries and its record has not. @returns their ids. */
  #removeTags(link: ExistingLink, tags: TransferTags): string[] {
    const kept = new Map(tags.tags.map((tag) => this.#tag(link.channelId, tag)));
    const ofTypes = tags.ofTypes?.map((type) => this.#existing.types.get(foldName(type)));
    const removed = link.tags.filter(
      ({ tagId, typeId }) => !kept.has(tagId) && (ofTypes === undefined || ofTypes.includes(typeId)),
    );
    this.plan.removedTags.push(...removed.map(({ tagId }) => ({ linkId: link.id, tagId })));
    return removed.map(({ tagId }) => tagId);
  }

  /** A new channel has its chat id as its title, until connectChannel or its first new link learns the rest from Telegram. */
  #channel(chatId: number): string {
    return this.#findOrPlan(this.#existing.channels, chatId, (id) => {
      const title = String(chatId);
      const kind = chatId <= FIRST_LARGE_CHAT_ID ? ("CHANNEL" as const) : ("GROUP" as const);
      this.plan.channels.push({ id, chatId: BigInt(chatId), kind, title, createdAt: this.#now });
      this.#audit("channel.import", id, id, { chatId, kind });
    });
  }

  #type(name: string): string {
    const nameKey = foldName(name);
    return this.#findOrPlan(this.#existing.types, nameKey, (id) => {
      this.plan.types.push({ id, name, nameKey, createdAt: this.#now });
      this.#audit("tagType.create", id, null, { name });
    });
  }

  /** The ids of a tag and of its type. */
  #tag(channelId: string, tag: TransferTag): [tagId: string, typeId: string] {
    const typeId = this.#type(tag.type);
    const { name } = tag;
    const nameKey = foldName(name);
    const tagId = this.#findOrPlan(this.#existing.tags, keyOfTag(channelId, typeId, nameKey), (id) => {
      const color = tag.color ?? defaultColor(nameKey);
      this.plan.tags.push({ id, channelId, typeId, name, nameKey, color, createdAt: this.#now });
      this.#audit("tag.create", id, channelId, { name, color, typeId });
    });
    return [tagId, typeId];
  }

  /** The id of a row by its key; a row that does not exist is planned with a new id. */
  #findOrPlan<Key>(existing: RowIds<Key>, key: Key, plan: (id: string) => void): string {
    const found = existing.get(key);
    if (found !== undefined) return found;
    const id = existing.plan(key);
    plan(id);
    return id;
  }

  #audit(
    action: AuditAction,
    subjectId: string,
    channelId: string | null,
    change: AuditEntry["change"],
  ): void {
    this.plan.auditEntries.push({ action, subjectId, channelId, change });
  }
}

import type { Prisma } from "../../database/generated/prisma/client.js";
import { type AuditEntry, differences } from "../shared/audit.js";
import { newId } from "../shared/ids.js";
import { foldName } from "../shared/text.js";
import { defaultColor } from "./colors.js";
import { type Existing, type ExistingLink, keyOfTag } from "./existing.js";
import {
  keyOfLink,
  type LinkFields,
  type TransferFields,
  type TransferLink,
  type TransferTag,
  type TransferTags,
} from "./transferLink.js";

/** A link that is new, with its folded name. */
export interface NewLink extends LinkFields {
  readonly id: string;
  readonly channelId: string;
  readonly url: string;
  readonly nameKey: string | null;
}

export interface LinkTag {
  readonly linkId: string;
  readonly tagId: string;
  readonly channelId: string;
  readonly typeId: string;
}

/** What has to be written so that a batch of links is there, all of it or nothing. */
export interface ImportPlan {
  readonly channels: Prisma.ChannelCreateManyInput[];
  readonly types: Prisma.TagTypeCreateManyInput[];
  readonly tags: Prisma.TagCreateManyInput[];
  readonly links: NewLink[];
  readonly updates: { readonly id: string; readonly data: Prisma.InviteLinkUpdateManyMutationInput }[];
  /** Tags that links are to carry, and no longer. */
  readonly given: LinkTag[];
  readonly taken: { readonly linkId: string; readonly tagId: string }[];
  readonly changes: AuditEntry[];
}

/** Ids of supergroups and channels begin here; those of ordinary groups are above. Which of the two, only Telegram knows. */
const FIRST_LARGE_CHAT_ID = -1_000_000_000_000;

/** What a link has of which its source says nothing. */
const UNSAID = {
  name: null,
  budget: "0.00",
  creatorId: null,
  expireDate: null,
  memberLimit: null,
  createsJoinRequest: false,
  subscriptionPrice: null,
  isBotCreated: true,
  isRevoked: false,
} as const satisfies Omit<LinkFields, "createdAt">;

function said(fields: TransferFields): Partial<LinkFields> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

const keyOfName = (name: string | null): string | null => (name === null ? null : foldName(name));

/** The columns that follow the fields. */
function columnsOf({ creatorId, ...fields }: Partial<LinkFields>) {
  return {
    ...fields,
    ...(fields.name === undefined ? {} : { nameKey: keyOfName(fields.name) }),
    ...(creatorId === undefined ? {} : { creatorId: creatorId === null ? null : BigInt(creatorId) }),
  };
}

/** A column's value as text, so that equal ones are equal. */
function plain(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  return String(value);
}

/** Plans a batch in which no link comes twice; what it makes is known from then on. */
export class ImportPlanner {
  readonly plan: ImportPlan = {
    channels: [],
    types: [],
    tags: [],
    links: [],
    updates: [],
    given: [],
    taken: [],
    changes: [],
  };
  readonly #known: Existing;
  readonly #now: Date;

  constructor(known: Existing, now: Date) {
    this.#known = known;
    this.#now = now;
  }

  /** The link as it is known already, if it is. */
  find(link: TransferLink): ExistingLink | undefined {
    const channelId = this.#known.channels.get(link.chatId);
    return channelId === undefined ? undefined : this.#known.links.get(keyOfLink(channelId, link.url));
  }

  /** Plans a link that is not known. */
  add(link: TransferLink): void {
    const channelId = this.#channel(link.chatId);
    const id = newId();
    const fields = { ...UNSAID, createdAt: this.#now, ...said(link.fields) };
    const tagIds = this.#give({ id, channelId }, link.tags, []);
    this.plan.links.push({ id, channelId, url: link.url, nameKey: keyOfName(fields.name), ...fields });
    this.#note("inviteLink.import", id, channelId, {
      url: link.url,
      name: fields.name,
      budget: fields.budget,
      tagIds,
    });
  }

  /**
   * Plans what the source has otherwise of a link that is known. A link of this server's own bot is in Telegram as it
   * stands here: of such a one only the budget and the tags follow the source.
   * @returns whether there is anything.
   */
  update(known: ExistingLink, { fields, tags }: TransferLink): boolean {
    const followed = columnsOf(said(known.botId === null ? fields : { budget: fields.budget }));
    const was = { ...known, budget: known.budget.toFixed(2) };
    const names = (Object.keys(followed) as (keyof typeof followed)[]).filter(
      (name) => plain(was[name]) !== plain(followed[name]),
    );
    const data = Object.fromEntries(names.map((name) => [name, followed[name]]));
    const giving = tags
      ? this.#give(
          known,
          tags,
          known.tags.map(({ tagId }) => tagId),
        )
      : [];
    const taking = tags ? this.#take(known, tags) : [];
    if (names.length + giving.length + taking.length === 0) return false;
    this.plan.updates.push({ id: known.id, data: { ...data, updatedAt: this.#now } });
    const became = Object.fromEntries(names.map((name) => [name, plain(followed[name])]));
    const before = Object.fromEntries(names.map((name) => [name, plain(was[name])]));
    this.#note("inviteLink.update", known.id, known.channelId, {
      ...differences(before, became),
      ...(giving.length > 0 ? { addTagIds: giving } : {}),
      ...(taking.length > 0 ? { removeTagIds: taking } : {}),
    });
    return true;
  }

  /** @returns the ids of the tags that the link does not carry yet. */
  #give(
    { id, channelId }: { readonly id: string; readonly channelId: string },
    tags: TransferTags | undefined,
    carried: readonly string[],
  ): string[] {
    const given = new Map((tags?.tags ?? []).map((tag) => this.#tag(channelId, tag)));
    for (const tagId of carried) given.delete(tagId);
    for (const [tagId, typeId] of given) this.plan.given.push({ linkId: id, tagId, channelId, typeId });
    return [...given.keys()];
  }

  /** @returns the ids of the tags that the link carries and its source has not. */
  #take(link: ExistingLink, tags: TransferTags): string[] {
    const kept = new Map(tags.tags.map((tag) => this.#tag(link.channelId, tag)));
    const ofTypes = tags.ofTypes?.map((type) => this.#known.types.get(foldName(type)));
    const taken = link.tags.filter(
      ({ tagId, typeId }) => !kept.has(tagId) && (ofTypes === undefined || ofTypes.includes(typeId)),
    );
    this.plan.taken.push(...taken.map(({ tagId }) => ({ linkId: link.id, tagId })));
    return taken.map(({ tagId }) => tagId);
  }

  /** A channel that nobody connected yet: connectChannel, or the first link made in it, learns the rest from Telegram. */
  #channel(chatId: number): string {
    return this.#findOrMake(this.#known.channels, chatId, (id) => {
      const title = String(chatId);
      const kind = chatId <= FIRST_LARGE_CHAT_ID ? ("CHANNEL" as const) : ("GROUP" as const);
      this.plan.channels.push({ id, chatId: BigInt(chatId), kind, title, createdAt: this.#now });
      this.#note("channel.import", id, id, { chatId, kind });
    });
  }

  #type(name: string): string {
    const nameKey = foldName(name);
    return this.#findOrMake(this.#known.types, nameKey, (id) => {
      this.plan.types.push({ id, name, nameKey, createdAt: this.#now });
      this.#note("tagType.create", id, null, { name });
    });
  }

  /** A tag's id, with that of its type. */
  #tag(channelId: string, tag: TransferTag): [tagId: string, typeId: string] {
    const typeId = this.#type(tag.type);
    const { name } = tag;
    const nameKey = foldName(name);
    const tagId = this.#findOrMake(this.#known.tags, keyOfTag(channelId, typeId, nameKey), (id) => {
      const color = tag.color ?? defaultColor(nameKey);
      this.plan.tags.push({ id, channelId, typeId, name, nameKey, color, createdAt: this.#now });
      this.#note("tag.create", id, channelId, { name, color, typeId });
    });
    return [tagId, typeId];
  }

  #findOrMake<Key>(known: Map<Key, string>, key: Key, make: (id: string) => void): string {
    const found = known.get(key);
    if (found !== undefined) return found;
    const id = newId();
    known.set(key, id);
    make(id);
    return id;
  }

  #note(action: string, subjectId: string, channelId: string | null, change: AuditEntry["change"]): void {
    this.plan.changes.push({ action, subjectId, channelId, change });
  }
}

import sql, { type Sql } from "sql-template-tag";
import { Problems } from "../../shared/errors.js";
import { parseId, parseIds } from "../../shared/ids.js";
import { foldName, isStorable } from "../../shared/text.js";
import type { Tag } from "../../tags/tag.js";
import type { Loaders } from "../linkLoaders.js";
import type { LinkSelection, TypeGroup } from "../selection.js";

// More than any page of ours asks for, less than keeps the server busy.
const MAX_IDS = 10_000;
const MAX_GROUPS = 50;
const MAX_TAGS_IN_GROUP = 1_000;

export interface TagGroup {
  readonly tagTypeId: string;
  readonly withoutType: boolean;
  readonly tagIds: readonly string[];
}

/** As a caller gives it: ids are global or bare. */
export interface InviteLinkFilter {
  readonly name?: string | null | undefined;
  readonly creatorId?: number | null | undefined;
  readonly tagGroups?: readonly TagGroup[] | null | undefined;
  readonly ids?: readonly string[] | null | undefined;
  readonly isRevoked?: boolean | null | undefined;
  readonly isExpired?: boolean | null | undefined;
  readonly isBotCreated?: boolean | null | undefined;
  readonly createdFrom?: Date | null | undefined;
  readonly createdTo?: Date | null | undefined;
}

/** A group whose ids were read. */
export interface ReadGroup {
  /** Where it stands in the input. */
  readonly path: string;
  readonly typeId: string;
  readonly tagIds: readonly string[];
  readonly withoutType: boolean;
}

function readGroups(groups: readonly TagGroup[], problems: Problems): ReadGroup[] {
  if (groups.length > MAX_GROUPS) problems.add("filter.tagGroups", `Must be at most ${MAX_GROUPS}.`);
  const read = groups.slice(0, MAX_GROUPS).map(({ tagTypeId, tagIds, withoutType }, index) => {
    const path = `filter.tagGroups.${index}`;
    return {
      path,
      typeId: parseId("TagType", tagTypeId, `${path}.tagTypeId`, problems) ?? "",
      tagIds: parseIds("Tag", tagIds, `${path}.tagIds`, problems, MAX_TAGS_IN_GROUP).map((id) => id ?? ""),
      withoutType,
    };
  });
  problems.check();
  return read;
}

/** Whether there is nothing to say against a group with these tags. Where it has none, nothing proves its type. */
const areRight = (
  tags: readonly (Tag | null | undefined)[],
  chatId: number,
  { typeId }: ReadGroup,
): boolean => tags.length > 0 && tags.every((tag) => tag?.chatId === chatId && tag.typeId === typeId);

/**
 * Each tag must be the channel's and of its group's type, each type be there. No more is looked up than the tags, where
 * there is nothing to say against them.
 * @returns false where there is no such channel, and so no links.
 * @throws ValidationError
 */
export async function checkGroups(
  chatId: number,
  groups: readonly ReadGroup[],
  loaders: Loaders,
): Promise<boolean> {
  const tags = await Promise.all(
    groups.map(({ tagIds }) => Promise.all(tagIds.map((id) => loaders.tag.load(id)))),
  );
  if (groups.every((group, index) => areRight(tags[index] ?? [], chatId, group))) return true;
  if ((await loaders.channelByChatId.load(chatId)) === null) return false;
  const types = await Promise.all(groups.map(({ typeId }) => loaders.tagType.load(typeId)));
  const problems = new Problems();
  for (const [index, { path, typeId }] of groups.entries()) {
    if (types[index] === null) problems.add(`${path}.tagTypeId`, "There is no such tag type.");
    for (const [place, tag] of (tags[index] ?? []).entries()) {
      if (tag?.chatId !== chatId) {
        problems.add(`${path}.tagIds.${place}`, "There is no such tag in this channel.");
      } else if (tag.typeId !== typeId) {
        problems.add(`${path}.tagIds.${place}`, "This tag is of another type.");
      }
    }
  }
  problems.check();
  return true;
}

/**
 * The version of the channel's tags as of which there is nothing to say against groups, by what is remembered of their
 * tags; null where that is not known.
 */
export function provenAsOf(
  chatId: number,
  groups: readonly ReadGroup[],
  { rememberedTag }: Loaders,
): string | null {
  const versions = new Set<string | undefined>();
  for (const group of groups) {
    const remembered = group.tagIds.map(rememberedTag);
    const tags = remembered.map((one) => one?.tag);
    if (!areRight(tags, chatId, group)) return null;
    for (const one of remembered) versions.add(one?.version);
  }
  const [version = null] = versions;
  return versions.size === 1 ? version : null;
}

/** Two groups of one type are one group; one with neither tags nor `withoutType` constrains nothing. */
function unite(groups: readonly ReadGroup[]): TypeGroup[] {
  const united = new Map<string, { tagIds: Set<string>; without: boolean }>();
  for (const { typeId, tagIds, withoutType } of groups) {
    const one = united.get(typeId) ?? { tagIds: new Set(), without: false };
    for (const id of tagIds) one.tagIds.add(id);
    one.without ||= withoutType;
    united.set(typeId, one);
  }
  return [...united]
    .map(([typeId, { tagIds, without }]) => ({ typeId, tagIds: [...tagIds], without }))
    .filter(({ tagIds, without }) => tagIds.length > 0 || without);
}

/** A filter whose ids were read, before anybody has looked whether there are such tags. */
export interface ReadFilter {
  readonly selection: LinkSelection;
  readonly groups: readonly ReadGroup[];
}

/**
 * What a filter means for a chat's links. The channel is looked up by the very statements that read them.
 * @param now decides what is expired.
 * @throws ValidationError for ids that are none.
 */
export function readFilter(chatId: number, filter: InviteLinkFilter, now: Date): ReadFilter {
  const problems = new Problems();
  const conditions: Sql[] = [];
  if (filter.name) {
    if (!isStorable(filter.name)) problems.add("filter.name", "Must be well-formed Unicode without NUL.");
    conditions.push(sql`strpos(l.name_key, ${foldName(filter.name)}) > 0`);
  }
  if (filter.creatorId != null) conditions.push(sql`l.creator_id = ${filter.creatorId}::bigint`);
  if (filter.ids != null) {
    const ids = parseIds("InviteLink", filter.ids, "filter.ids", problems, MAX_IDS);
    conditions.push(sql`l.id = any(${ids}::uuid[])`);
  }
  if (filter.isRevoked != null) conditions.push(sql`l.is_revoked = ${filter.isRevoked}::boolean`);
  if (filter.isBotCreated != null) conditions.push(sql`l.is_bot_created = ${filter.isBotCreated}::boolean`);
  if (filter.isExpired != null) {
    const instant = sql`${now.toISOString()}::timestamptz`;
    conditions.push(
      filter.isExpired
        ? sql`l.expire_date <= ${instant}`
        : sql`(l.expire_date is null or l.expire_date > ${instant})`,
    );
  }
  const creation: Sql[] = [];
  if (filter.createdFrom != null)
    creation.push(sql`l.created_at >= ${filter.createdFrom.toISOString()}::timestamptz`);
  if (filter.createdTo != null)
    creation.push(sql`l.created_at < ${filter.createdTo.toISOString()}::timestamptz`);
  conditions.push(...creation);

  const groups = readGroups(filter.tagGroups ?? [], problems);
  const channelId = sql`(select id from channel where chat_id = ${chatId}::bigint)`;
  return {
    selection: { channelId, conditions, creation, byId: filter.ids != null, groups: unite(groups) },
    groups,
  };
}

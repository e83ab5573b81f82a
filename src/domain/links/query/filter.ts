import sql, { join, type Sql } from "sql-template-tag";
import { readInviteLinkUrl } from "../../../parsers/inviteLinkUrl.js";
import { Problems } from "../../shared/errors.js";
import { parseId, parseIds } from "../../shared/ids.js";
import { foldName, isStorable } from "../../shared/text.js";
import type { LinkSelection, TypeGroup } from "../selection.js";

// More than any page shows, and few enough for one statement.
const MAX_IDS = 10_000;
const MAX_GROUPS = 50;
const MAX_TAGS_IN_GROUP = 1_000;

export interface TagGroup {
  readonly tagTypeId: string;
  readonly withoutType: boolean;
  readonly tagIds: readonly string[];
}

/** A filter as a caller gives it: ids are global or bare. A property that is null or left out filters nothing. */
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
  readonly externalIds?: readonly string[] | null | undefined;
  /** A part of the name, the address or the external id. */
  readonly search?: string | null | undefined;
  readonly minJoinCount?: number | null | undefined;
  readonly hasPendingJoinRequests?: boolean | null | undefined;
}

/** A tag group with parsed ids. */
export interface ParsedGroup {
  /** The group's path in the input, for problems. */
  readonly path: string;
  readonly typeId: string;
  readonly tagIds: readonly string[];
  readonly withoutType: boolean;
}

function parseGroups(groups: readonly TagGroup[], problems: Problems): ParsedGroup[] {
  if (groups.length > MAX_GROUPS) problems.add("filter.tagGroups", `Must be at most ${MAX_GROUPS}.`);
  const parsed = groups.slice(0, MAX_GROUPS).map(({ tagTypeId, tagIds, withoutType }, index) => {
    const path = `filter.tagGroups.${index}`;
    return {
      path,
      typeId: parseId("TagType", tagTypeId, `${path}.tagTypeId`, problems) ?? "",
      tagIds: parseIds("Tag", tagIds, `${path}.tagIds`, problems, MAX_TAGS_IN_GROUP).map((id) => id ?? ""),
      withoutType,
    };
  });
  problems.check();
  return parsed;
}

/** Merges groups of one type. A group with neither tags nor `withoutType` constrains nothing and is left out. */
function mergeGroups(groups: readonly ParsedGroup[]): TypeGroup[] {
  const merged = new Map<string, { tagIds: Set<string>; without: boolean }>();
  for (const { typeId, tagIds, withoutType } of groups) {
    const one = merged.get(typeId) ?? { tagIds: new Set(), without: false };
    for (const id of tagIds) one.tagIds.add(id);
    one.without ||= withoutType;
    merged.set(typeId, one);
  }
  return [...merged]
    .map(([typeId, { tagIds, without }]) => ({ typeId, tagIds: [...tagIds], without }))
    .filter(({ tagIds, without }) => tagIds.length > 0 || without);
}

/**
 * The condition that a text is part of a link's name, address or external id, all of them folded. An address in another
 * spelling than Telegram's, or with something around it, is searched in Telegram's.
 */
function matches(text: string): Sql {
  const folded = foldName(text);
  const address = readInviteLinkUrl(text)?.url.replace(/\.{3}$/, "");
  // Addresses are ASCII.
  const lowered = sql`lower(l.url collate "C")`;
  const conditions = [
    sql`strpos(l.name_key, ${folded}) > 0`,
    sql`strpos(l.external_id_key, ${folded}) > 0`,
    sql`strpos(${lowered}, ${folded}) > 0`,
    ...(address === undefined ? [] : [sql`strpos(${lowered}, ${address.toLowerCase()}) > 0`]),
  ];
  return sql`(${join(conditions, " or ")})`;
}

/** Conditions on the counters of a link's members. */
function countersMeet({ minJoinCount, hasPendingJoinRequests }: InviteLinkFilter, channelId: Sql): Sql[] {
  const withCounters = (condition: Sql) =>
    sql`l.id in (select a.link_id from link_activity a where a.channel_id = ${channelId}::uuid and ${condition})`;
  const conditions: Sql[] = [];
  if (minJoinCount != null && minJoinCount > 0)
    conditions.push(withCounters(sql`a.join_count >= ${minJoinCount}::int`));
  if (hasPendingJoinRequests != null) {
    conditions.push(
      withCounters(
        hasPendingJoinRequests
          ? sql`a.pending_join_request_count > 0`
          : sql`a.pending_join_request_count = 0`,
      ),
    );
  }
  return conditions;
}

/** A filter with parsed ids. Whether its tags and types exist is not checked yet. */
export interface ParsedFilter {
  readonly selection: LinkSelection;
  readonly groups: readonly ParsedGroup[];
}

/**
 * Turns a filter into a selection of a chat's links. The statements that read the selection look up the channel themselves.
 * @param now decides which links are expired.
 * @throws ValidationError for malformed ids and names, and for too many of them.
 */
export function parseFilter(chatId: number, filter: InviteLinkFilter, now: Date): ParsedFilter {
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

  if (filter.externalIds != null) {
    if (filter.externalIds.length > MAX_IDS)
      problems.add("filter.externalIds", `Must be at most ${MAX_IDS}.`);
    const storable = filter.externalIds.slice(0, MAX_IDS).filter(isStorable);
    conditions.push(sql`l.external_id = any(${storable}::text[])`);
  }
  if (filter.search) {
    if (!isStorable(filter.search)) problems.add("filter.search", "Must be well-formed Unicode without NUL.");
    conditions.push(matches(filter.search));
  }
  const channelId = sql`(select id from channel where chat_id = ${chatId}::bigint)`;
  conditions.push(...countersMeet(filter, channelId));

  const groups = parseGroups(filter.tagGroups ?? [], problems);
  const byId = filter.ids != null || filter.externalIds != null;
  return {
    selection: { channelId, conditions, creation, byId, groups: mergeGroups(groups) },
    groups,
  };
}

import sql, { empty, type Sql } from "sql-template-tag";
import type { Tag } from "../../tags/tag.js";
import type { InviteLink } from "../inviteLink.js";
import { type LinkSelection, type SelectedIds, selected, selectedByTags } from "../selection.js";

/** Links whose members are counted. The links of one key are counted together. */
export interface LinkSource {
  /** "with …", if `rows` refers to a common table. */
  readonly with: Sql;
  /**
   * A SELECT of `key` (text, or null) and `link_id`. Its user adds OFFSET 0: PostgreSQL 18 would make one table of the
   * link_activity in it and the one that it is joined with, and then fail ("invalid attribute number").
   */
  readonly rows: Sql;
}

/** Each link by itself: its key is its id. */
export const eachLink = (links: readonly InviteLink[]): LinkSource => ({
  with: empty,
  rows: sql`
    select given.link_id::text as key, given.link_id
    from unnest(${links.map(({ id }) => id)}::uuid[]) as given (link_id)`,
});

/** The links of each tag: the key is the tag's id. */
export const linksOfEachTag = (tags: readonly Tag[]): LinkSource => ({
  with: empty,
  rows: sql`
    select lt.tag_id::text as key, lt.link_id from invite_link_tag lt
    where lt.tag_id = any(${tags.map(({ id }) => id)}::uuid[])`,
});

/** How selected links are grouped: the key of a link `l`, and the join that the key needs. */
export interface Grouping {
  readonly key: Sql;
  readonly joins: Sql;
}

/** The key null for every link. */
export const UNGROUPED: Grouping = { key: sql`null`, joins: empty };

/** The selected links `l` with their ids; rows of tags or counters, which are smaller than those of the links, where they do. */
export function selectedIds(selection: LinkSelection): SelectedIds {
  const byTags = selectedByTags(selection);
  if (byTags) return byTags;
  const hasCounters = selection.conditions.length === 0;
  return {
    ...selected(selection),
    from: hasCounters ? sql`(select link_id as id, channel_id from link_activity) l` : sql`invite_link l`,
  };
}

/** The selected links. With a join, a link may come several times, each time under another key. */
export function selectedLinks(selection: LinkSelection, grouping: Grouping = UNGROUPED): LinkSource {
  const {
    with: prefix,
    from,
    where,
  } = grouping === UNGROUPED
    ? selectedIds(selection)
    : { ...selected(selection), from: sql`invite_link l ${grouping.joins}` };
  return {
    with: prefix,
    rows: sql`select (${grouping.key})::text as key, l.id as link_id from ${from} where ${where}`,
  };
}

/** Whether a selection has all links of its channel, so that the channel's own numbers are theirs. */
export const hasEveryLink = ({ conditions, groups }: LinkSelection): boolean =>
  conditions.length === 0 && groups.length === 0;

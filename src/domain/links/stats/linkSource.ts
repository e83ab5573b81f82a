import sql, { empty, join, type Sql } from "sql-template-tag";
import type { Tag } from "../../tags/tag.js";
import { countStatements } from "../counts/countStatements.js";
import type { InviteLink } from "../inviteLink.js";
import { type LinkSelection, type SelectedIds, selected, selectedByTags } from "../selection.js";

/** Links whose members are counted. */
export interface LinkSource {
  /** "with …, source as …": a common table of the links, `source s`, with a `link_id` and, if they are grouped, a `key`. */
  readonly with: Sql;
  /** Whether the links of each key are counted together, or all links. */
  readonly isGrouped: boolean;
}

/** A source from the SELECT of its rows. The links are found once, however often a statement refers to them. */
export const sourceOf = (
  rows: Sql,
  { with: prefix = empty, isGrouped }: { readonly with?: Sql; readonly isGrouped: boolean },
): LinkSource => ({
  isGrouped,
  with: sql`${prefix === empty ? sql`with` : sql`${prefix},`} source as materialized (${rows})`,
});

/**
 * FROM and WHERE that join a source with a table whose index begins with the link. The links of an ungrouped source are given
 * to the index as an array: joining them would cost a third more for each row. PostgreSQL does not know that a link comes once,
 * and would keep what it read of each link in a cache (Memoize) if the join were one of equal values.
 */
export const linkedRows = ({ isGrouped }: LinkSource, table: Sql, linkId: Sql): Sql =>
  isGrouped
    ? sql`from source s join ${table} on ${linkId} = any(array[s.link_id]) where true`
    : sql`from ${table} where ${linkId} = any(array(select link_id from source))`;

/** The key of a row of a source; null if the links are not grouped. */
export const keyOf = ({ isGrouped }: LinkSource): Sql => (isGrouped ? sql`s.key` : sql`null`);

/** GROUP BY of sums over rows `s` with the keys of a source. Grouping by a constant would take time. */
export function groupBy({ isGrouped }: LinkSource, ...further: readonly Sql[]): Sql {
  const names = isGrouped ? [sql`s.key`, ...further] : [...further];
  return names.length > 0 ? sql`group by ${join(names)}` : empty;
}

/** Each link by itself: its key is its id. */
export const eachLink = (links: readonly InviteLink[]): LinkSource =>
  sourceOf(
    sql`select id as key, id as link_id from unnest(${links.map(({ id }) => id)}::uuid[]) as given (id)`,
    {
      isGrouped: true,
    },
  );

/** The links of each tag: the key is the tag's id. */
export const linksOfEachTag = (tags: readonly Tag[]): LinkSource =>
  sourceOf(
    sql`select tag_id as key, link_id from invite_link_tag
      where tag_id = any(${tags.map(({ id }) => id)}::uuid[])`,
    { isGrouped: true },
  );

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

/** A source of the selected links together, or of all others. */
export interface PartOfChannel extends LinkSource {
  /** Whether the source has the others: the sums of the selected links are then the channel's less the source's. */
  readonly isRest: Sql;
  /** 1, or -1 if the source has the others. */
  readonly sign: Sql;
}

/**
 * The selected links, or all others of the channel where they are fewer. So a filter that leaves out few links, such as the
 * revoked ones, costs little. EXCEPT, because PostgreSQL does not know how many links are selected: for an anti-join, it
 * might compare each link with each.
 */
export function partOfChannel(selection: LinkSelection): PartOfChannel {
  const { with: prefix, from, where } = selectedIds(selection);
  const everyLink = { ...selection, conditions: [], creation: [], byId: false, groups: [] };
  const isRest = sql`(select is_rest from part)`;
  return {
    isGrouped: false,
    isRest,
    sign: sql`(select case when is_rest then -1 else 1 end from part)`,
    with: sql`${prefix === empty ? sql`with` : sql`${prefix},`}
      chosen as materialized (select l.id as link_id from ${from} where ${where}),
      part as materialized (
        select 2 * count(*) > (${countStatements.count(everyLink)}) as is_rest from chosen),
      source as materialized (
        select link_id from chosen where not ${isRest}
        union all (
          select link_id from link_activity where channel_id = ${selection.channelId}::uuid and ${isRest}
          except select link_id from chosen where ${isRest}))`,
  };
}

/** Whether a selection has all links of its channel, so that the channel's own numbers are theirs. */
export const hasEveryLink = ({ conditions, groups }: LinkSelection): boolean =>
  conditions.length === 0 && groups.length === 0;

import sql, { empty, join, type Sql } from "sql-template-tag";
import type { FilteredRows } from "../paging/filteredScan.js";

/** A tag group of a filter: a link carries one of these tags, or, with `without`, no tag of the type. */
export interface TypeGroup {
  readonly typeId: string;
  readonly tagIds: readonly string[];
  readonly without: boolean;
}

/** The links of a channel that a filter leaves. */
export interface LinkSelection {
  /** The channel's own id: a value, or a subselect that looks the channel up by its chat id. */
  readonly channelId: Sql;
  /** Conditions on `invite_link l` other than its channel and its tags. */
  readonly conditions: readonly Sql[];
  /** The members of `conditions` that are about `l.created_at` alone. */
  readonly creation: readonly Sql[];
  /** Whether one of the conditions names the links by their ids. */
  readonly byId: boolean;
  /** At most one for each type. A link must meet all of them. */
  readonly groups: readonly TypeGroup[];
}

/** The condition on `invite_link l` without the tag groups. */
export const ungrouped = ({ channelId, conditions }: LinkSelection): Sql =>
  join([sql`l.channel_id = ${channelId}::uuid`, ...conditions], " and ");

/** The links that carry one of a group's tags. A link that carries several of them comes in several rows. */
const carryingOne = ({ tagIds }: TypeGroup): Sql =>
  sql`select g.link_id from invite_link_tag g where g.tag_id = any(${tagIds}::uuid[])`;

/**
 * The links that carry a tag of the group's type and none of the group's tags. A group with `without` leaves them out, for
 * which PostgreSQL plans an anti-join. For "one of these tags, or no tag of the type" it would look up each link.
 */
export function carryingOthers(channelId: Sql, group: TypeGroup): Sql {
  const ofType = sql`select n.link_id from invite_link_tag n
    where n.channel_id = ${channelId}::uuid and n.type_id = ${group.typeId}::uuid`;
  return group.tagIds.length === 0
    ? ofType
    : sql`${ofType} and not exists (${carryingOne(group)} and g.link_id = n.link_id)`;
}

/** The condition that `invite_link l` meets a group. */
export const meetsGroup = (channelId: Sql, group: TypeGroup): Sql =>
  group.without
    ? sql`not exists (${carryingOthers(channelId, group)} and n.link_id = l.id)`
    : sql`exists (${carryingOne(group)} and g.link_id = l.id)`;

/** The links that carry a tag of each group that demands one. The set is computed once. */
const withCarrying = (carrying: readonly Sql[]): Sql =>
  carrying.length > 0 ? sql`with carrying as materialized (${join([...carrying], " intersect ")})` : empty;

/** The selected links by their ids alone, `l (id)`, as parts of a statement. */
export interface SelectedIds {
  readonly with: Sql;
  readonly from: Sql;
  readonly where: Sql;
}

/**
 * The links of a selection by tags alone, from the rows of the tags. Null for a selection that the tags of its groups do not
 * lead to. The tags must be the channel's.
 */
export function selectedByTags({ channelId, conditions, groups }: LinkSelection): SelectedIds | null {
  const demanding = groups.filter(({ without }) => !without);
  if (conditions.length > 0 || demanding.length === 0) return null;
  const others = groups.filter(({ without }) => without).map((group) => meetsGroup(channelId, group));
  return {
    with: withCarrying(demanding.map(carryingOne)),
    from: sql`(select distinct link_id as id from carrying) l`,
    where: join([sql`true`, ...others], " and "),
  };
}

/** The selected links, as parts of a statement over `invite_link l`. */
export function selected(selection: LinkSelection): Required<Pick<FilteredRows, "with" | "where">> {
  const { channelId, groups } = selection;
  const conditions = [ungrouped(selection)];
  const carrying: Sql[] = [];
  for (const group of groups) {
    if (group.without) conditions.push(meetsGroup(channelId, group));
    else carrying.push(carryingOne(group));
  }
  // With separate conditions, PostgreSQL would look up each link, because in a prepared statement it does not know how many
  // links carry the tags.
  if (carrying.length > 0) conditions.push(sql`l.id in (select link_id from carrying)`);
  return { with: withCarrying(carrying), where: join(conditions, " and ") };
}

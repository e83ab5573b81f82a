import sql, { empty, join, type Sql } from "sql-template-tag";
import type { SqlList } from "../paging/list.js";

/** What a filter says of one type's tags: a link carries one of these, or, with `without`, none of the type. */
export interface TypeGroup {
  readonly typeId: string;
  readonly tagIds: readonly string[];
  readonly without: boolean;
}

/** The links of a channel that a filter leaves. */
export interface LinkSelection {
  /** The channel's own id: a value, or a look-up of it by the chat's. */
  readonly channelId: Sql;
  /** What must be true of `invite_link l` beside its channel and its tags. */
  readonly conditions: readonly Sql[];
  /** Those of the conditions that are about `l.created_at` alone. */
  readonly creation: readonly Sql[];
  /** Whether one of the conditions names the links by their ids. */
  readonly byId: boolean;
  /** One for each type that is constrained; all must hold. */
  readonly groups: readonly TypeGroup[];
}

/** The condition on `invite_link l` without the tag groups. */
export const ungrouped = ({ channelId, conditions }: LinkSelection): Sql =>
  join([sql`l.channel_id = ${channelId}::uuid`, ...conditions], " and ");

/** The links that carry one of a group's tags; those that carry several are several rows. */
const carryingOne = ({ tagIds }: TypeGroup): Sql =>
  sql`select g.link_id from invite_link_tag g where g.tag_id = any(${tagIds}::uuid[])`;

/**
 * The links that carry the group's type and none of its tags: what a group with `without` leaves out. Said so rather
 * than as "one of these, or none": of an OR the planner makes no join, and then looks each link up, or worse.
 */
export function carryingOthers(channelId: Sql, group: TypeGroup): Sql {
  const ofType = sql`select n.link_id from invite_link_tag n
    where n.channel_id = ${channelId}::uuid and n.type_id = ${group.typeId}::uuid`;
  return group.tagIds.length === 0
    ? ofType
    : sql`${ofType} and not exists (${carryingOne(group)} and g.link_id = n.link_id)`;
}

/** The links that are selected, as parts of a statement over `invite_link l`. */
export function selected(selection: LinkSelection): Required<Pick<SqlList, "with" | "where">> {
  const { channelId, groups } = selection;
  const conditions = [ungrouped(selection)];
  const carrying: Sql[] = [];
  for (const group of groups) {
    if (!group.without) carrying.push(carryingOne(group));
    else conditions.push(sql`not exists (${carryingOthers(channelId, group)} and n.link_id = l.id)`);
  }
  // Intersected once and kept: as plain conditions the planner, blind to the tags' sizes in a prepared statement,
  // falls to looking each link up.
  if (carrying.length > 0) conditions.push(sql`l.id in (select link_id from carrying)`);
  return {
    with: carrying.length > 0 ? sql`with carrying as materialized (${join(carrying, " intersect ")})` : empty,
    where: join(conditions, " and "),
  };
}

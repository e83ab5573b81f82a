import sql, { empty, type Sql } from "sql-template-tag";
import type { Tag } from "../../tags/tag.js";
import { type LinkSelection, selected, selectedByTags } from "../selection.js";
import { hasEveryLink, type LinkSource, sourceOf } from "./linkSource.js";

/** Lists of links that are grouped, each by itself: the selected links, or the links of each of some tags. */
export interface LinkLists {
  /** "with …", if the other parts refer to a common table. */
  readonly with: Sql;
  /** FROM and WHERE of the links `invite_link l`. A link comes once for each list that has it. */
  readonly from: Sql;
  readonly where: Sql;
  /** The tag whose list a row is of, as uuid; null if there is but one list. */
  readonly tagId: Sql;
  /** The condition that a column has a channel of the lists. */
  readonly isOfChannel: (column: Sql) => Sql;
  /** A SELECT of each `day` of UTC on which links were created. */
  readonly days: Sql;
}

const dayOf = (createdAt: Sql): Sql => sql`(${createdAt} at time zone 'UTC')::date`;

/** The one list of the selected links. */
export function listOfSelection(selection: LinkSelection): LinkLists {
  const isOfChannel = (column: Sql): Sql => sql`${column} = ${selection.channelId}::uuid`;
  const byTags = selectedByTags(selection);
  const links = byTags
    ? {
        with: byTags.with,
        from: sql`(select l.id from ${byTags.from} where ${byTags.where}) found join invite_link l on l.id = found.id`,
        where: isOfChannel(sql`l.channel_id`),
      }
    : { ...selected(selection), from: sql`invite_link l` };
  return {
    ...links,
    tagId: sql`null::uuid`,
    isOfChannel,
    days: hasEveryLink(selection)
      ? sql`select day from link_day where ${isOfChannel(sql`channel_id`)} group by day having sum(links) > 0`
      : sql`select distinct ${dayOf(sql`l.created_at`)} as day from ${links.from} where ${links.where}`,
  };
}

/** The list of the links of each tag. */
export function listsOfTags(tags: readonly Tag[]): LinkLists {
  const channelIds = [...new Set(tags.map(({ channelId }) => channelId))];
  const where = sql`own.tag_id = any(${tags.map(({ id }) => id)}::uuid[])`;
  return {
    with: empty,
    from: sql`invite_link_tag own join invite_link l on l.id = own.link_id`,
    where,
    tagId: sql`own.tag_id`,
    isOfChannel: (column) => sql`${column} = any(${channelIds}::uuid[])`,
    days: sql`select distinct ${dayOf(sql`own.created_at`)} as day from invite_link_tag own where ${where}`,
  };
}

/** The links of the groups of lists. With a join, a link may come several times, each time under another key. */
export const groupedLinks = (
  { with: prefix, from, where, tagId }: LinkLists,
  { key, joins }: { readonly key: Sql; readonly joins: Sql },
): LinkSource =>
  sourceOf(
    sql`select concat_ws(' ', ${tagId}, ${key}) as key, l.id as link_id from ${from} ${joins} where ${where}`,
    { with: prefix, isGrouped: true },
  );

/** The key that a group of a list has in groupedLinks. */
export const keyInList = (tagId: string | null, key: string | number | null): string =>
  [tagId, key].filter((part) => part !== null).join(" ");

import sql, { join, type Sql } from "sql-template-tag";
import type { Tag } from "../../tags/tag.js";
import { type LinkSelection, meetsGroup, selected, ungrouped } from "../selection.js";

/** The statements that count links. Budgets are exact decimals with two fraction digits. */
export interface CountStatements {
  /** Gives one row: the `count` of selected links. */
  count(selection: LinkSelection): Sql;
  /** Gives one row: the `budget` of all selected links together. */
  totals(selection: LinkSelection): Sql;
  /**
   * Gives the rows of facets, `id` and `count`. The id is a tag's with the number of links that carry the tag, or a
   * type's with the number of links that carry no tag of the type. A type's own group is left out of the filter. An id
   * without a row counts 0.
   */
  facets(selection: LinkSelection): Sql;
  /** Gives rows of `tagId` and the `count` of the links that carry the tag. A tag without a row counts 0. */
  countOfTags(tags: readonly Tag[]): Sql;
  /** Gives rows of `tagId` and the `budget` of the links that carry the tag. A tag without a row has 0.00. */
  totalsOfTags(tags: readonly Tag[]): Sql;
  /** Gives rows as `facets` does for each tag, `tagId`, as if the tag were the filter's only group. */
  facetsOfTags(tags: readonly Tag[]): Sql;
}

const idsOf = (tags: readonly Tag[]): Sql => sql`${tags.map(({ id }) => id)}::uuid[]`;

/** The condition that link `l` meets all groups but that of the type `f.type_id`. */
function meetsOtherGroups({ channelId, groups }: LinkSelection): Sql {
  const conditions = groups.map(
    (group) => sql`(f.type_id = ${group.typeId}::uuid or ${meetsGroup(channelId, group)})`,
  );
  return join([sql`true`, ...conditions], " and ");
}

const carriesType = sql`exists (
  select from invite_link_tag n where n.link_id = l.id and n.type_id = f.type_id)`;

/** Counts links by reading their rows. Plain twin of bitmaps.ts. */
export const rowCounts: CountStatements = {
  count(selection) {
    const { with: prefix, where } = selected(selection);
    return sql`${prefix} select count(*) as count from invite_link l where ${where}`;
  },

  totals(selection) {
    const { with: prefix, where } = selected(selection);
    return sql`${prefix} select coalesce(sum(l.budget), 0.00) as budget from invite_link l where ${where}`;
  },

  facets(selection) {
    const ofChannel = sql`from tag where channel_id = ${selection.channelId}::uuid`;
    const counted = sql`${ungrouped(selection)} and ${meetsOtherGroups(selection)}`;
    return sql`
      select f.id, count(*) as count
      from (select id, type_id ${ofChannel}) f
      join invite_link_tag lt on lt.tag_id = f.id join invite_link l on l.id = lt.link_id
      where ${counted} group by f.id
      union all
      select f.type_id, count(*)
      from (select distinct type_id ${ofChannel}) f cross join invite_link l
      where ${counted} and not ${carriesType} group by f.type_id`;
  },

  countOfTags: (tags) => sql`
    select tag_id as "tagId", count(*) as count from invite_link_tag where tag_id = any(${idsOf(tags)})
    group by tag_id`,

  totalsOfTags: (tags) => sql`
    select lt.tag_id as "tagId", sum(l.budget) as budget
    from invite_link_tag lt join invite_link l on l.id = lt.link_id
    where lt.tag_id = any(${idsOf(tags)}) group by lt.tag_id`,

  facetsOfTags(tags) {
    const counted = sql`tag.id = any(${idsOf(tags)}) and (f.type_id = tag.type_id or exists (
      select from invite_link_tag o where o.link_id = l.id and o.tag_id = tag.id))`;
    return sql`
      select tag.id as "tagId", f.id, count(*) as count
      from tag join tag f on f.channel_id = tag.channel_id
      join invite_link_tag lt on lt.tag_id = f.id join invite_link l on l.id = lt.link_id
      where ${counted} group by tag.id, f.id
      union all
      select tag.id, f.type_id, count(*)
      from tag join (select distinct channel_id, type_id from tag) f on f.channel_id = tag.channel_id
      join invite_link l on l.channel_id = tag.channel_id
      where ${counted} and not ${carriesType} group by tag.id, f.type_id`;
  },
};

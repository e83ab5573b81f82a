import sql, { join, raw, type Sql } from "sql-template-tag";
import type { Database } from "../../database/database.js";
import type { Tag, TagType, TypeWithTags } from "../tags/tag.js";
import { carryingOne, carryingOthers, type LinkSelection, ungrouped } from "./selection.js";

export interface TagFacet {
  readonly tag: Tag;
  /** How many of the links carry the tag. */
  readonly count: number;
}

/** How links are spread over the tags of one type. */
export interface TagTypeFacet {
  readonly type: TagType;
  /** How many of the links carry no tag of the type. */
  readonly withoutTypeCount: number;
  /** Every tag of the type in the channel, by name. */
  readonly tags: readonly TagFacet[];
}

/** Numbers of links, under a filter with one type's own group left out. */
interface LinkCounts {
  readonly all: number;
  /** Those that carry a tag, by its id; those that carry any of a type, by the type's. */
  readonly carrying: ReadonlyMap<string, number>;
}

/** The counts for the facet of each type. */
export type FacetCounts = (typeId: string) => LinkCounts;

interface CountRow {
  /** What the count is about, beside the tag or type. */
  readonly scope: string | null;
  /** The tag or type that the links carry; null for all links. */
  readonly id: string | null;
  readonly count: number;
}

const NOTHING: LinkCounts = { all: 0, carrying: new Map() };

function byScope(rows: readonly CountRow[]): Map<string | null, LinkCounts> {
  const scopes = new Map<string | null, { all: number; carrying: Map<string, number> }>();
  for (const { scope, id, count } of rows) {
    const counts = scopes.get(scope) ?? { all: 0, carrying: new Map() };
    if (id === null) counts.all = count;
    else counts.carrying.set(id, count);
    scopes.set(scope, counts);
  }
  return scopes;
}

/** What a statement selects of `carried`, which has a row for each tag that a link of a scope carries. */
const countsOfCarried = sql`
  select scope, type_id as id, count(*) as count
  from (select distinct scope, type_id, link_id from carried) once group by scope, type_id
  union all
  select scope, tag_id, count(*) from carried group by scope, tag_id`;

/** Puts counts to the tags of a channel; those of a tag or type that is not counted are 0. */
export const toFacets = (types: readonly TypeWithTags[], counts: FacetCounts): TagTypeFacet[] =>
  types.map(({ type, tags }) => {
    const { all, carrying } = counts(type.id);
    return {
      type,
      withoutTypeCount: all - (carrying.get(type.id) ?? 0),
      tags: tags.map((tag) => ({ tag, count: carrying.get(tag.id) ?? 0 })),
    };
  });

/**
 * The links that miss at most one group, each with the type whose group it misses: it counts in that type's facet
 * alone, where it misses none in all.
 */
function nearlySelected(selection: LinkSelection): Sql {
  const { channelId, groups } = selection;
  if (groups.length === 0) {
    return sql`select l.id, null::uuid as missed from invite_link l where ${ungrouped(selection)}`;
  }
  const marked = groups.map((group, index) => {
    const mark = raw(`g${index}`);
    const marks = group.without ? carryingOthers(channelId, group) : carryingOne(group);
    return {
      // Joined, so that the planner may hash it, whatever its size.
      join: sql`left join (select distinct link_id from (${marks}) marked) ${mark} on ${mark}.link_id = l.id`,
      missed: group.without ? sql`${mark}.link_id is not null` : sql`${mark}.link_id is null`,
      typeId: group.typeId,
    };
  });
  return sql`
    select l.id, case ${join(
      marked.map(({ missed, typeId }) => sql`when ${missed} then ${typeId}::uuid`),
      " ",
    )} end as missed
    from invite_link l ${join(
      marked.map((group) => group.join),
      " ",
    )}
    where ${ungrouped(selection)} and ${join(
      marked.map(({ missed }) => sql`(${missed})::int`),
      " + ",
    )} <= 1`;
}

/** The tags of those links; without any filter the channel's, for which no link need be looked at. */
function carriedByNearlySelected({ channelId, conditions, groups }: LinkSelection): Sql {
  const carried = sql`select null::uuid as scope, lt.type_id, lt.tag_id, lt.link_id from invite_link_tag lt`;
  const ofChannel = sql`where lt.channel_id = ${channelId}::uuid`;
  return conditions.length === 0 && groups.length === 0
    ? sql`not materialized (${carried} ${ofChannel})`
    : sql`materialized (${carried} join links on links.id = lt.link_id
        ${ofChannel} and (links.missed is null or links.missed = lt.type_id))`;
}

/** The counts for the facets of the links that are selected. */
export async function countsOf(database: Database, selection: LinkSelection): Promise<FacetCounts> {
  const rows = await database.query<CountRow>(sql`
    with links as materialized (${nearlySelected(selection)}),
      carried as ${carriedByNearlySelected(selection)}
    select missed as scope, null::uuid as id, count(*) as count from links group by missed
    union all ${countsOfCarried}`);
  const scopes = byScope(rows);
  const { all, carrying } = scopes.get(null) ?? NOTHING;
  return (typeId) => ({ all: all + (scopes.get(typeId) ?? NOTHING).all, carrying });
}

/**
 * The counts for the facets of the links that carry each of the tags, in their order. A tag stands as its type's
 * group: the facet of its own type is about all links of the channel.
 */
export async function countsOfTags(database: Database, tags: readonly Tag[]): Promise<FacetCounts[]> {
  const [ids, channelIds, typeIds] = [
    tags.map(({ id }) => id),
    tags.map(({ channelId }) => channelId),
    tags.map(({ typeId }) => typeId),
  ];
  const rows = await database.query<CountRow>(sql`
    with asked as materialized (
        select * from unnest(${ids}::uuid[], ${channelIds}::uuid[], ${typeIds}::uuid[])
          as asked(tag_id, channel_id, type_id)),
      carried as materialized (
        select asked.tag_id as scope, lt.type_id, lt.tag_id, lt.link_id
        from asked
        join invite_link_tag own on own.tag_id = asked.tag_id
        join invite_link_tag lt on lt.link_id = own.link_id and lt.channel_id = asked.channel_id
          and lt.type_id <> asked.type_id
        union all
        select lt.channel_id, lt.type_id, lt.tag_id, lt.link_id
        from (select distinct channel_id, type_id from asked) asked
        join invite_link_tag lt on lt.channel_id = asked.channel_id and lt.type_id = asked.type_id)
    select tag_id as scope, null::uuid as id, count(*) as count from invite_link_tag
    where tag_id = any(${ids}::uuid[]) group by tag_id
    union all
    select channel_id, null, count(*) from invite_link
    where channel_id = any(${channelIds}::uuid[]) group by channel_id
    union all ${countsOfCarried}`);
  const scopes = byScope(rows);
  return tags.map((tag) => (typeId) => {
    return scopes.get(typeId === tag.typeId ? tag.channelId : tag.id) ?? NOTHING;
  });
}

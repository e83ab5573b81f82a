import sql, { type Sql } from "sql-template-tag";
import type { Database } from "../../../database/database.js";
import type { Tag, TagType, TypeWithTags } from "../../tags/tag.js";
import type { LinkSelection } from "../selection.js";
import { selectedBlocks, selectedFor } from "./bitmaps.js";

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

/**
 * Numbers of links, each under a filter with the type's own group left out: by a tag's id those that carry it, by a
 * type's those that carry none of the type.
 */
export type FacetCounts = ReadonlyMap<string, number>;

/** Puts counts to the tags of a channel; those of a tag or type that is not counted are 0. */
export const toFacets = (types: readonly TypeWithTags[], counts: FacetCounts): TagTypeFacet[] =>
  types.map(({ type, tags }) => ({
    type,
    withoutTypeCount: counts.get(type.id) ?? 0,
    tags: tags.map((tag) => ({ tag, count: counts.get(tag.id) ?? 0 })),
  }));

interface Counted {
  /** What blocks' places are counted: a table with `block_id` and `channel_id`; those of one `scope` are counted together. */
  readonly blocks: Sql;
  /** The places of a block that count in the facet of a type, `f.type_id`. */
  readonly places: Sql;
  /** The channels whose tags are counted, as values of uuid[]. */
  readonly channelIds: Sql;
}

interface CountRow {
  readonly scope: string;
  /** A tag's or a type's. */
  readonly id: string;
  readonly count: number;
}

/** The counts of each scope. */
async function count(
  database: Database,
  { blocks, places, channelIds }: Counted,
): Promise<Map<string, FacetCounts>> {
  // Block by block (LATERAL, OFFSET), lest a plan sort or set aside the bits of all of them. How many carry none of a
  // type is how many there are, less those that carry one of its tags.
  const rows = await database.query<CountRow>(sql`
    with blocks as materialized (${blocks}),
      facet as materialized (
        select channel_id, type_id, id as tag_id from tag where channel_id = any(${channelIds}))
    select scope, id, sum(count)::bigint as count from (
      select scope, tag.id, tag.count from blocks cross join lateral (
        select f.tag_id as id, bit_count(t.links & ${places}) as count
        from block_tag t join facet f on f.tag_id = t.tag_id where t.block_id = blocks.block_id offset 0
      ) tag
      union all
      select scope, f.type_id, bit_count(${places})
      from blocks join (select distinct channel_id, type_id from facet) f on f.channel_id = blocks.channel_id
      union all
      select scope, f.type_id, -bit_count(f.links & ${places})
      from blocks join block_type f on f.block_id = blocks.block_id
    ) counted group by scope, id`);
  const scopes = new Map<string, Map<string, number>>();
  for (const { scope, id, count } of rows) {
    const counts = scopes.get(scope) ?? new Map<string, number>();
    scopes.set(scope, counts.set(id, count));
  }
  return scopes;
}

const NOTHING: FacetCounts = new Map();

/** The counts for the facets of the links that are selected. */
export async function countsOf(database: Database, selection: LinkSelection): Promise<FacetCounts> {
  const scope = "all";
  const counts = await count(database, {
    blocks: sql`select ${scope}::text as scope, * from (${selectedBlocks(selection)}) blocks`,
    places: selectedFor(selection, sql`f.type_id`),
    channelIds: sql`array[${selection.channelId}::uuid]`,
  });
  return counts.get(scope) ?? NOTHING;
}

/**
 * The counts for the facets of the links that carry each of the tags, in their order. A tag stands as its type's
 * group: the facet of its own type is about all links of the channel.
 */
export async function countsOfTags(database: Database, tags: readonly Tag[]): Promise<FacetCounts[]> {
  const counts = await count(database, {
    blocks: sql`
      select tag.id as scope, tag.type_id as own_type_id, b.id as block_id, b.channel_id, b.links,
        coalesce(t.links, 0::bit(8192)) as carrying
      from tag join link_block b on b.channel_id = tag.channel_id
      left join block_tag t on t.block_id = b.id and t.tag_id = tag.id
      where tag.id = any(${tags.map(({ id }) => id)}::uuid[])`,
    places: sql`case f.type_id when own_type_id then blocks.links else carrying end`,
    channelIds: sql`${[...new Set(tags.map(({ channelId }) => channelId))]}::uuid[]`,
  });
  return tags.map(({ id }) => counts.get(id) ?? NOTHING);
}

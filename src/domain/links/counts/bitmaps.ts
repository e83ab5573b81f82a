// What: Counts links by counting bits instead of rows. Plain twin: rowCounts.ts.
// Measured: W1t 0.70 (0.54) instead of 1.05 (3.05) CPU ms of Node.js (and PostgreSQL) per request, 3.45 times (200,000 links,
//   2026-11-26, `npm run bench -- --only fast-paths`); docs/decisions/0007-bitmaps.md.
// To remove: delete this file, the checks and repairs of all tables but link_day in linkCounts.ts, and `bitmaps` in
//   fastPaths.ts; let countStatements.ts export rowCounts; drop the tables of the bitmaps in a migration that lets the
//   triggers of invite_link call count_day only.

import sql, { empty, join, raw, type Sql } from "sql-template-tag";
import type { Tag } from "../../tags/tag.js";
import { type LinkSelection, type TypeGroup, ungrouped } from "../selection.js";
import { type CountStatements, rowCounts } from "./rowCounts.js";

// Each link has a place in a block of 8,192 links of its channel, and a block has a row of bits for each tag, tag type
// and binary digit of a budget (prisma/schema.prisma, LinkBlock). A tag group is therefore a few operations on the bits
// of each block, however many links it leaves.

const NO_PLACES = sql`0::bit(8192)`;

const idsOf = (tags: readonly Tag[]): Sql => sql`${tags.map(({ id }) => id)}::uuid[]`;

/** The places of block `b` whose links meet a group. */
function placesMeeting({ typeId, tagIds, without }: TypeGroup): Sql {
  const carrying = sql`coalesce((
    select bit_or(t.links) from block_tag t where t.block_id = b.id and t.tag_id = any(${tagIds}::uuid[])
  ), ${NO_PLACES})`;
  if (!without) return carrying;
  const carryingType = sql`coalesce(
    (select y.links from block_type y where y.block_id = b.id and y.type_id = ${typeId}::uuid), ${NO_PLACES})`;
  return sql`((b.links & ~${carryingType}) | ${carrying})`;
}

/** The channel's blocks `b`, and the expression of the places whose links meet the conditions other than tag groups. */
function blocksMeetingConditions(selection: LinkSelection): { places: Sql; from: Sql } {
  if (selection.conditions.length === 0) {
    return {
      places: sql`b.links`,
      from: sql`link_block b where b.channel_id = ${selection.channelId}::uuid`,
    };
  }
  return {
    places: sql`meeting.places`,
    from: sql`(
      select p.block_id, places(p.place, 1) as places from invite_link l join link_place p on p.link_id = l.id
      where ${ungrouped(selection)} group by p.block_id
    ) meeting join link_block b on b.id = meeting.block_id`,
  };
}

/**
 * A table with a row for each block of the selection: `block_id`, `channel_id`, the `selected` places, and `but_0`,
 * `but_1`…, the places that would be selected without the first group, without the second….
 */
function selectedBlocks(selection: LinkSelection): Sql {
  const { places, from } = blocksMeetingConditions(selection);
  const groups = selection.groups.map((group, index) => ({
    name: raw(`group_${index}`),
    places: placesMeeting(group),
  }));
  const meetingAll = (some: typeof groups) => join([sql`met`, ...some.map(({ name }) => name)], " & ");
  const butOne = groups.map((group, index) => {
    const others = groups.filter((other) => other !== group);
    return sql`, ${meetingAll(others)} as ${raw(`but_${index}`)}`;
  });
  const columns = groups.map((group) => sql`, ${group.places} as ${group.name}`);
  // OFFSET 0 keeps the planner from computing each group again at each use of its name.
  return sql`select block_id, channel_id, ${meetingAll(groups)} as selected${joined(butOne)}
    from (
      select b.id as block_id, b.channel_id, ${places} as met ${joined(columns)}
      from ${from} offset 0
    ) blocks`;
}

const joined = (parts: readonly Sql[]): Sql => (parts.length > 0 ? join([...parts], "") : empty);

/** The places of a row of `selectedBlocks` that count in the facet of a type: its own group is left out. */
const placesForType = ({ groups }: LinkSelection, typeId: Sql): Sql =>
  groups.length === 0
    ? sql`selected`
    : sql`case ${typeId} ${join(
        groups.map((group, index) => sql`when ${group.typeId}::uuid then ${raw(`but_${index}`)}`),
        " ",
      )} else selected end`;

interface FacetBlocks {
  /** A table with `block_id` and `channel_id`; the blocks of one "tagId" are counted together. */
  readonly blocks: Sql;
  /** The places of a block that count in the facet of the type `f.type_id`. */
  readonly places: Sql;
  /** The channels whose tags are counted, as uuid[]. */
  readonly channelIds: Sql;
}

/**
 * The number of links without a type is the number of all links less the number of those that carry one of its tags.
 * LATERAL and OFFSET 0 keep the planner from sorting or storing the bits of all blocks.
 */
const countFacets = ({ blocks, places, channelIds }: FacetBlocks): Sql => sql`
  with blocks as materialized (${blocks}),
    facet as materialized (
      select channel_id, type_id, id as tag_id from tag where channel_id = any(${channelIds}))
  select "tagId", id, sum(count)::bigint as count from (
    select "tagId", tag.id, tag.count from blocks cross join lateral (
      select f.tag_id as id, bit_count(t.links & ${places}) as count
      from block_tag t join facet f on f.tag_id = t.tag_id where t.block_id = blocks.block_id offset 0
    ) tag
    union all
    select "tagId", f.type_id, bit_count(${places})
    from blocks join (select distinct channel_id, type_id from facet) f on f.channel_id = blocks.channel_id
    union all
    select "tagId", f.type_id, -bit_count(f.links & ${places})
    from blocks join block_type f on f.block_id = blocks.block_id
  ) counted group by "tagId", id`;

/** The budget of the `selected` places of blocks: `block_budget d` holds the binary digits of each budget in hundredths. */
const budgetOfPlaces = sql`
  (coalesce(sum(bit_count(d.links & blocks.selected) * (1::bigint << d.digit)), 0) / 100)::numeric(40, 2)`;

const joinBudgets = sql`join block_budget d on d.block_id = blocks.block_id`;

export const bitmaps: CountStatements = {
  // Conditions other than tag groups are about the links' rows, so all rows must be read in any case.
  count: (selection) =>
    selection.conditions.length > 0
      ? rowCounts.count(selection)
      : sql`select coalesce(sum(bit_count(selected)), 0)::bigint as count
          from (${selectedBlocks(selection)}) blocks`,

  totals: (selection) =>
    selection.conditions.length > 0
      ? rowCounts.totals(selection)
      : sql`select ${budgetOfPlaces} as budget from (${selectedBlocks(selection)}) blocks ${joinBudgets}`,

  facets: (selection) =>
    countFacets({
      blocks: sql`select null::uuid as "tagId", * from (${selectedBlocks(selection)}) blocks`,
      places: placesForType(selection, sql`f.type_id`),
      channelIds: sql`array[${selection.channelId}::uuid]`,
    }),

  countOfTags: (tags) => sql`
    select tag_id as "tagId", sum(bit_count(links))::bigint as count from block_tag
    where tag_id = any(${idsOf(tags)}) group by tag_id`,

  totalsOfTags: (tags) => sql`
    select blocks.tag_id as "tagId", ${budgetOfPlaces} as budget
    from (
      select block_id, tag_id, links as selected from block_tag where tag_id = any(${idsOf(tags)})
    ) blocks ${joinBudgets} group by blocks.tag_id`,

  facetsOfTags: (tags) =>
    countFacets({
      blocks: sql`
        select tag.id as "tagId", tag.type_id as own_type_id, b.id as block_id, b.channel_id, b.links,
          coalesce(t.links, ${NO_PLACES}) as carrying
        from tag join link_block b on b.channel_id = tag.channel_id
        left join block_tag t on t.block_id = b.id and t.tag_id = tag.id
        where tag.id = any(${idsOf(tags)})`,
      places: sql`case f.type_id when own_type_id then blocks.links else carrying end`,
      channelIds: sql`${[...new Set(tags.map(({ channelId }) => channelId))]}::uuid[]`,
    }),
};

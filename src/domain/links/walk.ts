import sql, { join, raw, type Sql } from "sql-template-tag";
import { MAX_PAGE_SIZE } from "../paging/arguments.js";
import { bounds } from "../paging/list.js";
import type { Ordering } from "../paging/ordering.js";
import type { Slice } from "../paging/page.js";
import type { InviteLink } from "./inviteLink.js";
import { isByCreation } from "./order.js";
import { carryingOthers, type LinkSelection, type TypeGroup } from "./selection.js";

// A page of links under tag groups, in the order in which they were created. The links of each tag stand in that order
// in an index. They are walked through side by side, a link's rows meeting on the way, until the page is full: what
// that takes depends on how many links match among those walked over, and not on how many there are.

/** More are intersected as a whole: each is a part of the statement. */
const MOST_STREAMS = 64;
/** Each has a bit of an integer. */
const MOST_GROUPS = 30;

/**
 * Links in the order of the walk, as `l (created_at, id)` over a table. A group is a bit: `met` has those that a link
 * of the stream meets by being in it, `asked` those that it must meet.
 */
interface Stream {
  readonly from: Sql;
  readonly met: number;
  readonly asked: number;
}

const tagged = (condition: Sql): Sql =>
  sql`(select created_at, link_id as id, tag_id, channel_id, type_id from invite_link_tag) l where ${condition}`;

/** No tag has no links; looking for them costs nothing. */
const ofTag = (tagId: string | null): Sql => tagged(sql`l.tag_id = ${tagId}::uuid`);

/** Where there are groups without `without`, those are all that is walked: each asks something of every link. */
function streamsOfAny(groups: readonly TypeGroup[]): Stream[] {
  const asked = 2 ** groups.length - 1;
  return groups.flatMap(({ tagIds }, index) =>
    tagIds.map((tagId) => ({ from: ofTag(tagId), met: 2 ** index, asked })),
  );
}

/** Groups with `without` ask something only of the links that carry their types; the others pass. */
function streamsOfWithout(channelId: string, groups: readonly TypeGroup[]): Stream[] {
  const channel = sql`${channelId}::uuid`;
  return [
    { from: sql`invite_link l where l.channel_id = ${channel}`, met: 0, asked: 0 },
    ...groups.flatMap(({ typeId, tagIds }, index) => [
      {
        from: tagged(sql`l.channel_id = ${channel} and l.type_id = ${typeId}::uuid`),
        met: 0,
        asked: 2 ** index,
      },
      ...tagIds.map((tagId) => ({ from: ofTag(tagId), met: 2 ** index, asked: 2 ** index })),
    ]),
  ];
}

/** Brings streams to a power of two, so that few statements differ. */
function padded(streams: readonly Stream[]): Stream[] {
  const missing = 2 ** Math.ceil(Math.log2(streams.length)) - streams.length;
  return [...streams, ...Array<Stream>(missing).fill({ from: ofTag(null), met: 0, asked: 0 })];
}

/**
 * How to find a slice of the links that are selected: as what stands behind FROM, with `invite_link l` for the links.
 * @returns null where they cannot be walked through.
 */
export function walkOf(
  selection: LinkSelection,
  ordering: Ordering<InviteLink>,
): ((slice: Slice) => Sql) | null {
  const { channelId, conditions, creation, groups } = selection;
  const [any, without] = [groups.filter((group) => !group.without), groups.filter((group) => group.without)];
  const streams = any.length > 0 ? streamsOfAny(any) : streamsOfWithout(channelId, without);
  if (groups.length === 0 || !isByCreation(ordering)) return null;
  if (groups.length > MOST_GROUPS || streams.length > MOST_STREAMS) return null;
  const filters = conditions.filter((condition) => !creation.includes(condition));
  if (any.length > 0) {
    for (const group of without) {
      filters.push(sql`not exists (${carryingOthers(channelId, group)} and n.link_id = l.id)`);
    }
  }

  return (slice) => {
    // Each ordered by itself, since the planner merges only what is.
    const parts = padded(streams).map(
      ({ from, met, asked }) => sql`
        (select l.created_at, l.id, ${met}::int as met, ${asked}::int as asked from ${from} order by ${slice.orderBy})`,
    );
    const within = [...(slice.condition ? [slice.condition] : []), ...creation];
    // All that is met is asked, so >= is the same as =. Of an equality the planner would believe that hardly any link
    // passes it, and read all of them at once.
    const walked = sql`
      select l.created_at, l.id from (${join(parts, " union all ")}) l
      ${within.length > 0 ? sql`where ${join(within, " and ")}` : sql``}
      group by l.created_at, l.id having bit_or(l.met) >= bit_or(l.asked) order by ${slice.orderBy}`;
    // OFFSET 0 has each link looked at on the way, in the order of the walk.
    const found =
      filters.length === 0
        ? sql`${walked} ${bounds(slice)}`
        : sql`select l.id from ((${walked}) walked cross join lateral (
            select from invite_link l where l.id = walked.id and ${join(filters, " and ")} offset 0
          ) passing) l order by ${slice.orderBy} ${bounds(slice)}`;
    // The limit that is written out tells the planner, blind to the slice's own, that a page is short.
    return sql`(select id from (${found}) found limit ${raw(String(MAX_PAGE_SIZE + 1))}) page
      join invite_link l on l.id = page.id and l.channel_id = ${channelId}::uuid`;
  };
}

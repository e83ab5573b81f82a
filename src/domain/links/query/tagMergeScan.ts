import sql, { join, raw, type Sql } from "sql-template-tag";
import { MAX_PAGE_SIZE } from "../../paging/arguments.js";
import { bounds } from "../../paging/list.js";
import type { Ordering } from "../../paging/ordering.js";
import { anyOf, type Slice } from "../../paging/page.js";
import type { InviteLink } from "../inviteLink.js";
import { carryingOthers, type LinkSelection, type TypeGroup } from "../selection.js";
import { isByCreation } from "./order.js";

// A page of links under tag groups, in the order in which they were created. The links of each tag stand in that order
// in an index. They are walked through side by side, where the rows of one link meet, until the page is full: what that
// takes depends on how many match among the links on the way, and not on how many links there are.

/** Each is a part of the statement. */
const MOST_STREAMS = 64;
/** Each has a bit of an integer. */
const MOST_GROUPS = 30;

/** More than there can be. */
const ALL = sql`9223372036854775807`;

/**
 * Links in the order of the walk, from `l (created_at, id)`. What is demanded of a link is told in bits: `met` is what
 * a link meets by being in the stream, `asked` what it must meet then, by this stream or by another.
 */
interface Stream {
  readonly from: Sql;
  readonly met: number;
  readonly asked: number;
}

const tagged = (condition: Sql): Sql =>
  sql`(select created_at, link_id as id, tag_id, channel_id, type_id from invite_link_tag) l where ${condition}`;

/** Null: no links, and it takes nothing to find none. */
const ofTag = (tagId: string | null): Sql => tagged(sql`l.tag_id = ${tagId}::uuid`);

/** For groups of which a link must carry one tag each: no links but those of the tags are walked through. */
function streamsOfTags(groups: readonly TypeGroup[]): Stream[] {
  const asked = 2 ** groups.length - 1;
  return groups.flatMap(({ tagIds }, index) =>
    tagIds.map((tagId) => ({ from: ofTag(tagId), met: 2 ** index, asked })),
  );
}

/** For groups that ask something only of the links that carry their types: all of the channel are walked through. */
function streamsOfChannel(channelId: Sql, groups: readonly TypeGroup[]): Stream[] {
  const channel = sql`l.channel_id = ${channelId}::uuid`;
  return [
    { from: sql`invite_link l where ${channel}`, met: 0, asked: 0 },
    ...groups.flatMap(({ typeId, tagIds }, index) => {
      const asked = 2 ** index;
      return [
        { from: tagged(sql`${channel} and l.type_id = ${typeId}::uuid`), met: 0, asked },
        ...tagIds.map((tagId) => ({ from: ofTag(tagId), met: asked, asked })),
      ];
    }),
  ];
}

/** Brings streams to a power of two, so that few statements differ. */
function padded(streams: readonly Stream[]): Stream[] {
  const missing = 2 ** Math.ceil(Math.log2(streams.length)) - streams.length;
  return [...streams, ...Array<Stream>(missing).fill({ from: ofTag(null), met: 0, asked: 0 })];
}

/**
 * How to find a slice of the links that are selected: what stands behind FROM, with `invite_link l`.
 * @returns null where they are not to be found by a walk.
 */
export function tagMergeScan(
  selection: LinkSelection,
  ordering: Ordering<InviteLink>,
): ((slice: Slice) => Sql) | null {
  const { channelId, creation, groups } = selection;
  if (groups.length === 0 || groups.length > MOST_GROUPS || !isByCreation(ordering)) return null;
  // Few, and a walk would pass by all others.
  if (selection.byId) return null;
  const [tags, without] = [groups.filter((group) => !group.without), groups.filter((group) => group.without)];
  const streams = tags.length > 0 ? streamsOfTags(tags) : streamsOfChannel(channelId, without);
  if (streams.length > MOST_STREAMS) return null;
  // What is looked up for each link that the streams let pass.
  const conditions = [
    ...selection.conditions.filter((condition) => !creation.includes(condition)),
    ...(tags.length > 0 ? without : []).map(
      (group) => sql`not exists (${carryingOthers(channelId, group)} and n.link_id = l.id)`,
    ),
  ];

  return (slice) => {
    const stretch = slice.stretches ? [anyOf(slice.stretches), ...creation] : creation;
    // The planner merges what is ordered by itself. A limit, of which it never comes to speak, has it think of the
    // first rows of each, which an index gives at once, and not only of all of them.
    const parts = padded(streams).map(
      ({ from, met, asked }) => sql`
        (select l.created_at, l.id, ${met}::int as met, ${asked}::int as asked
          from ${join([from, ...stretch], " and ")}
          order by ${slice.orderBy} limit ${ALL})`,
    );
    // All that is met is asked, so >= is the same as =. Of an equality the planner would believe that hardly any link
    // passes, and read them all at once.
    const passing = [sql`bit_or(l.met) >= bit_or(l.asked)`];
    if (conditions.length > 0) {
      passing.push(sql`exists (
        select from (select l.id) passing join invite_link l on l.id = passing.id
        where ${join(conditions, " and ")})`);
    }
    const found = sql`
      select l.created_at, l.id from (${join(parts, " union all ")}) l
      group by l.created_at, l.id having ${join(passing, " and ")}
      order by ${slice.orderBy} ${bounds(slice)}`;
    // A page is short, which the planner, blind to the slice's own limit, cannot know: the one that is written out
    // tells it, and OFFSET 0 has each link looked up by its id.
    return sql`(
      select l.* from (${found}) found
      cross join lateral (select l.* from invite_link l where l.id = found.id offset 0) l
      limit ${raw(String(MAX_PAGE_SIZE + 1))}) l`;
  };
}

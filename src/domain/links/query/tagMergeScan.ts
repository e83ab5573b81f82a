// What: A page of links under tag groups, in the order of creation, merges the index scans of single tags. Plain twin:
//   paging/filteredScan.ts with the conditions of selection.ts.
// Measured: W2 0.91 (0.79) instead of 0.98 (1.47) CPU ms of Node.js (and PostgreSQL) per request, 1.47 times (200,000 links,
//   2026-11-26, `npm run bench -- --only fast-paths`); docs/decisions/0008-tag-merge-scan.md.
// To remove: delete this file, its test and `tagMergeScan` in fastPaths.ts; leave `scan` out of
//   linkList.ts and list.ts, `creation` and `byId` out of selection.ts and filter.ts, `isByCreation` out of order.ts.

import sql, { join, raw, type Sql } from "sql-template-tag";
import { MAX_PAGE_SIZE } from "../../paging/arguments.js";
import type { Scan } from "../../paging/filteredScan.js";
import { type Ordering, orderBy } from "../../paging/ordering.js";
import { anyOf, limitOf, type Slice } from "../../paging/page.js";
import { carryingOthers, type LinkSelection, type TypeGroup } from "../selection.js";
import { isByCreation, type OrderedLink } from "./order.js";

// The index of invite_link_tag has each tag's links in the order of their creation. The scans of all tags are merged in
// that order, so that the rows of one link meet, until the page is full. The cost depends on how many of the links on the
// way meet all groups, not on the number of links.

/** Each scan is a part of the statement. */
const MAX_SCANS = 64;
/** Each group has a bit of an integer. */
const MAX_GROUPS = 30;

/** A limit that no scan reaches. */
const UNREACHED_LIMIT = sql`9223372036854775807`;

/**
 * One ordered scan of links. Each tag group has a bit. A link passes if all bits that any of its scans requires are met
 * by one of its scans.
 */
interface TagScan {
  /** The item for FROM with its condition: `l (created_at, id)`. */
  readonly from: Sql;
  /** The bits of the groups that a link in this scan meets. */
  readonly met: number;
  /** The bits of the groups that a link in this scan must meet. */
  readonly required: number;
}

const tagged = (condition: Sql): Sql =>
  sql`(select created_at, link_id as id, tag_id, channel_id, type_id from invite_link_tag) l where ${condition}`;

/** @param tagId null: no links, found without reading anything. */
const ofTag = (tagId: string | null): Sql => tagged(sql`l.tag_id = ${tagId}::uuid`);

/** For groups that require one of their tags: only the links of these tags are scanned. */
function scansOfTags(groups: readonly TypeGroup[]): TagScan[] {
  const required = 2 ** groups.length - 1;
  return groups.flatMap(({ tagIds }, index) =>
    tagIds.map((tagId) => ({ from: ofTag(tagId), met: 2 ** index, required })),
  );
}

/**
 * For groups that links without a tag of the type meet as well: all links of the channel are scanned, and a link that
 * carries a type must meet the type's group.
 */
function scansOfChannel(channelId: Sql, groups: readonly TypeGroup[]): TagScan[] {
  const channel = sql`l.channel_id = ${channelId}::uuid`;
  return [
    { from: sql`invite_link l where ${channel}`, met: 0, required: 0 },
    ...groups.flatMap(({ typeId, tagIds }, index) => {
      const required = 2 ** index;
      return [
        { from: tagged(sql`${channel} and l.type_id = ${typeId}::uuid`), met: 0, required },
        ...tagIds.map((tagId) => ({ from: ofTag(tagId), met: required, required })),
      ];
    }),
  ];
}

/** Adds empty scans up to a power of two, so that few different statements are prepared. */
function padded(scans: readonly TagScan[]): TagScan[] {
  const missing = 2 ** Math.ceil(Math.log2(scans.length)) - scans.length;
  return [...scans, ...Array<TagScan>(missing).fill({ from: ofTag(null), met: 0, required: 0 })];
}

/** @returns null if the selection or the order does not suit; filteredScan is used then. */
export function tagMergeScan(selection: LinkSelection, ordering: Ordering<OrderedLink>): Scan | null {
  const { channelId, creation, groups } = selection;
  if (groups.length === 0 || groups.length > MAX_GROUPS || !isByCreation(ordering)) return null;
  // Links that are named by their ids are few; the scans would read all links between them.
  if (selection.byId) return null;
  const [tags, without] = [groups.filter((group) => !group.without), groups.filter((group) => group.without)];
  const scans = tags.length > 0 ? scansOfTags(tags) : scansOfChannel(channelId, without);
  if (scans.length > MAX_SCANS) return null;
  // The conditions that are looked up for each link whose bits pass.
  const conditions = [
    ...selection.conditions.filter((condition) => !creation.includes(condition)),
    ...(tags.length > 0 ? without : []).map(
      (group) => sql`not exists (${carryingOthers(channelId, group)} and n.link_id = l.id)`,
    ),
  ];

  const rows = (slice: Slice): Sql => {
    const inSlice = slice.ranges ? [anyOf(slice.ranges), ...creation] : creation;
    // PostgreSQL merges the scans because each is ordered. With a limit on each it plans for the first rows, which the
    // index gives at once, and not for all rows.
    const parts = padded(scans).map(
      ({ from, met, required }) => sql`
        (select l.created_at, l.id, ${met}::int as met, ${required}::int as required
          from ${join([from, ...inSlice], " and ")}
          order by ${slice.orderBy} limit ${UNREACHED_LIMIT})`,
    );
    // met ⊆ required, so >= equals =. With =, PostgreSQL expects almost no rows and sorts everything first.
    const passing = [sql`bit_or(l.met) >= bit_or(l.required)`];
    if (conditions.length > 0) {
      passing.push(sql`exists (
        select from (select l.id) passing join invite_link l on l.id = passing.id
        where ${join(conditions, " and ")})`);
    }
    const found = sql`
      select l.created_at, l.id from (${join(parts, " union all ")}) l
      group by l.created_at, l.id having ${join(passing, " and ")}
      order by ${slice.orderBy} ${limitOf(slice)}`;
    // The slice's own limit is a parameter, which the planner does not know; the literal limit shows that the page is
    // short. OFFSET 0 keeps the planner from joining the whole table instead of looking each link up by its id.
    return sql`(
      select l.* from (${found}) found
      cross join lateral (select l.* from invite_link l where l.id = found.id offset 0) l
      limit ${raw(String(MAX_PAGE_SIZE + 1))}) l`;
  };
  return {
    rows,
    any: (ranges) => rows({ ranges, orderBy: orderBy(ordering), reversed: false, limit: 1, offset: 0n }),
  };
}

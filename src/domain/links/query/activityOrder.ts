import sql, { join, raw, type Sql } from "sql-template-tag";
import { MAX_PAGE_SIZE } from "../../paging/arguments.js";
import { type FilteredRows, filteredScan, type Scan } from "../../paging/filteredScan.js";
import { type Ordering, orderBy } from "../../paging/ordering.js";
import { anyOf, limitOf, type Ranges, type Slice } from "../../paging/page.js";
import { LINK_COLUMNS } from "../inviteLink.js";
import type { LinkSelection } from "../selection.js";
import { isByActiveCount, type OrderedLink } from "./order.js";

// Links in an order by counters of their members. The counters are in link_activity, of which an index has the links of a
// channel in the order of their joins. The links are called `l` with the counters as further columns, and their channel
// and id are those of link_activity, so that the index can start at the place of a cursor.

const COUNTERS = sql`
  a.join_count as activity_joins, a.active_count as activity_active, a.last_join_at as activity_last_join`;

const linkColumns = join(
  Object.keys(LINK_COLUMNS).map((column) => {
    if (column === "id") return sql`a.link_id as id`;
    return column === "channel_id" ? sql`a.channel_id` : raw(`l.${column}`);
  }),
);

/** Each link has a row of counters. With LEFT JOIN, PostgreSQL leaves the links themselves out where only ids are needed. */
export const linksWithCounters: Sql = sql`(
  select ${linkColumns}, ${COUNTERS} from link_activity a left join invite_link l on l.id = a.link_id) l`;

/** The further columns of an OrderedLink. */
export const orderedColumns = sql`
  l.activity_joins as "joinCount", l.activity_active as "activeCount", l.activity_last_join as "lastJoinAt"`;

/** The counters alone. */
const counters = sql`(select a.link_id as id, a.channel_id, ${COUNTERS} from link_activity a) l`;

/** So many links with the most joins show where the links with the most active members can be. */
const SAMPLE = 2_000;

/**
 * A condition that all links of a slice by ACTIVE_COUNT meet, the largest first. No link has more active members than joins,
 * by which an index has the links: a link with fewer joins than the slice's last link has active members is not in the slice.
 * The last of as many links of a sample has no more of them. In a slice of which the sample has less, PostgreSQL reads all
 * links.
 */
const canBeInSlice = (channel: Sql, { ranges, orderBy: order, limit }: Slice): Sql => sql`
  l.activity_joins >= coalesce((
    select l.activity_active
    from (select l.* from ${counters} where ${channel} order by l.activity_joins desc, l.id desc limit ${SAMPLE}::int) l
    where ${anyOf(ranges)} order by ${order} offset ${limit - 1}::int limit 1), 0)`;

/**
 * Reads all links of a channel in the order of one counter. The keys of the page's links are found in the counters, and then
 * each link is looked up. The order by joins has an index. For the others PostgreSQL sorts the channel's counters, because an
 * index more would slow down storing updates; of the links by active members it reads those only that can be on the page.
 */
export function activityScan({ channelId }: LinkSelection, ordering: Ordering<OrderedLink>): Scan {
  const channel = sql`l.channel_id = ${channelId}::uuid`;
  const isLargestFirst = ({ reversed }: Slice) =>
    isByActiveCount(ordering) && (ordering[0]?.direction === "DESC") !== reversed;
  const keysOf = (slice: Slice): Sql => sql`(
    select l.* from ${counters} where ${channel} and ${anyOf(slice.ranges)}
      and ${isLargestFirst(slice) ? canBeInSlice(channel, slice) : sql`true`}
    order by ${slice.orderBy} ${limitOf(slice)})`;
  return {
    // OFFSET 0 and the literal limit keep PostgreSQL, which does not know how short a slice is, from joining all links.
    rows: (slice) => sql`(
      select l.*, found.activity_joins, found.activity_active, found.activity_last_join
      from ${keysOf(slice)} found
      cross join lateral (select l.* from invite_link l where l.id = found.id offset 0) l
      limit ${raw(String(MAX_PAGE_SIZE + 1))}) l`,
    any: (ranges: Ranges) =>
      sql`${keysOf({ ranges, orderBy: orderBy(ordering), reversed: false, limit: 1, offset: 0n })} l`,
  };
}

/** Finds slices of pages in an order by counters. Pages by number are counted off in filteredScan. */
export function scanByActivity(
  selection: LinkSelection,
  ordering: Ordering<OrderedLink>,
  rows: FilteredRows,
): Scan {
  const scan = filteredScan(rows, ordering);
  const { conditions, groups } = selection;
  // Under conditions PostgreSQL chooses between the index and a sort.
  if (conditions.length > 0 || groups.length > 0 || ordering.length > 2) return scan;
  const byIndex = activityScan(selection, ordering);
  return {
    rows: (slice) => (slice.offset > 0n ? scan : byIndex).rows(slice),
    any: (ranges) => byIndex.any(ranges),
  };
}

// What: A numbered page of all links of a channel skips whole days. Plain twin: paging/rowOffset.ts.
// Measured: W4n, a page 50,000 links deep, 1.70 (2.40) instead of 2.69 (5.77) CPU ms of Node.js (and PostgreSQL) per
//   request, 2.06 times (500,000 links, 2026-11-26); docs/decisions/0009-day-offsets.md.
// To remove: delete this file, the check and the repair of link_day in linkCounts.ts, and `dayOffsets` in fastPaths.ts;
//   leave `skip` out of linkList.ts; in a migration, remove count_day from the trigger functions of invite_link and drop
//   link_day.

import sql, { type Sql } from "sql-template-tag";
import type { Ordering } from "../../paging/ordering.js";
import { type RowSkip, rowOffset } from "../../paging/rowOffset.js";
import { directionByCreation, type OrderedLink } from "./order.js";

/**
 * Sums up the channel's links by day (link_day) to find the day on which the page begins. PostgreSQL then reads only the
 * links of that day that come before the page. Orders other than by creation take rowOffset.
 */
export function dayOffsets(channelId: Sql, ordering: Ordering<OrderedLink>): RowSkip {
  const direction = directionByCreation(ordering);
  if (direction === null) return rowOffset;
  const [inOrder, fromDay] =
    direction === "DESC"
      ? [sql`day desc`, sql`l.created_at < (select (day + 1)::timestamp at time zone 'UTC' from reached)`]
      : [sql`day`, sql`l.created_at >= (select day::timestamp at time zone 'UTC' from reached)`];
  return (offset) => ({
    with: sql`with reached as materialized (
      select day, (${offset}::bigint - before)::bigint as rest
      from (
        select day, links, sum(links) over (order by ${inOrder}) - links as before
        from (
          select day, sum(links) as links from link_day where channel_id = ${channelId}::uuid group by day
        ) days
      ) days
      where before <= ${offset}::bigint and before + links > ${offset}::bigint)`,
    condition: fromDay,
    offset: sql`(select rest from reached)`,
  });
}

import sql, { type Sql } from "sql-template-tag";
import type { Leap } from "../../paging/list.js";
import type { Steps } from "../../paging/ordering.js";
import { directionByCreation } from "./order.js";

/**
 * How the links behind the first ones of a channel are found, in an order by creation: the sums over its days tell on
 * which day they begin, so that only that day's have to be passed by. In another order there is no such way.
 */
export function skipWholeDays(channelId: Sql, order: Steps, offset: bigint): Leap | null {
  const direction = directionByCreation(order);
  if (direction === null) return null;
  const [first, next] =
    direction === "DESC"
      ? [sql`day desc`, sql`l.created_at < (select (day + 1)::timestamp at time zone 'UTC' from reached)`]
      : [sql`day`, sql`l.created_at >= (select day::timestamp at time zone 'UTC' from reached)`];
  return {
    with: sql`with reached as materialized (
      select day, (${offset}::bigint - before)::bigint as rest
      from (
        select day, links, sum(links) over (order by ${first}) - links as before
        from (
          select day, sum(links) as links from link_day where channel_id = ${channelId}::uuid group by day
        ) days
      ) days
      where before <= ${offset}::bigint and before + links > ${offset}::bigint)`,
    condition: next,
    offset: sql`(select rest from reached)`,
  };
}

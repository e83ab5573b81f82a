import sql, { type Sql } from "sql-template-tag";
import type { Instant } from "../../../database/instant.js";
import type { InviteLink, TaggedLink } from "../inviteLink.js";

/** What member updates have counted of one link or of several together. */
export interface MemberSums {
  readonly joinCount: number;
  readonly leaveCount: number;
  /** The part of leaveCount that somebody else removed. */
  readonly removedCount: number;
  /** joinCount - leaveCount. */
  readonly activeCount: number;
  readonly joinRequestCount: number;
}

/** The counters of one link. */
export interface MemberCounts extends MemberSums {
  /** People: somebody who came twice counts once. */
  readonly uniqueJoinCount: number;
  /** The part of joinRequestCount that is not decided yet. */
  readonly pendingJoinRequestCount: number;
  /** Null without joins. */
  readonly firstJoinAt: Instant | null;
  readonly lastJoinAt: Instant | null;
}

/** A link with the counters of its members. */
export type LinkWithCounts = InviteLink & MemberCounts;

/** Whether a link was read with its counters. */
export const hasCounts = (link: InviteLink): link is LinkWithCounts => "uniqueJoinCount" in link;

/** A link with its tags and, where they are asked for, the counters of its members. */
export type CountedLink = TaggedLink & { readonly stats?: MemberCounts };

export const NO_SUMS: MemberSums = {
  joinCount: 0,
  leaveCount: 0,
  removedCount: 0,
  activeCount: 0,
  joinRequestCount: 0,
};

export const NO_COUNTS: MemberCounts = {
  ...NO_SUMS,
  uniqueJoinCount: 0,
  pendingJoinRequestCount: 0,
  firstJoinAt: null,
  lastJoinAt: null,
};

/** The columns of MemberCounts, from `link_activity a`. */
export const memberCountColumns = sql`
  a.join_count as "joinCount", a.leave_count as "leaveCount", a.removed_count as "removedCount",
  a.active_count as "activeCount", a.join_request_count as "joinRequestCount",
  a.unique_join_count as "uniqueJoinCount", a.pending_join_request_count as "pendingJoinRequestCount",
  a.first_join_at as "firstJoinAt", a.last_join_at as "lastJoinAt"`;

/** Joins the counters `a` of a few links `l`. OFFSET 0 makes PostgreSQL look them up, not knowing how few the links are. */
export const joinCountsOfFew = sql`
  cross join lateral (select a.* from link_activity a where a.link_id = l.id offset 0) a`;

/** The column `stats` with MemberCounts as JSON, from `invite_link l`. Instants are in the form of toISOString. */
export const statsOfLinkColumn = sql`
  (select json_build_object(
      'joinCount', a.join_count, 'leaveCount', a.leave_count, 'removedCount', a.removed_count,
      'activeCount', a.active_count, 'joinRequestCount', a.join_request_count,
      'uniqueJoinCount', a.unique_join_count, 'pendingJoinRequestCount', a.pending_join_request_count,
      'firstJoinAt', to_char(a.first_join_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
      'lastJoinAt', to_char(a.last_join_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
    from link_activity a where a.link_id = l.id) as stats`;

/** The columns of MemberSums, summed up over rows of link_activity. */
export const memberSumColumns = (alias: Sql): Sql => sql`
  coalesce(sum(${alias}.join_count), 0) as "joinCount", coalesce(sum(${alias}.leave_count), 0) as "leaveCount",
  coalesce(sum(${alias}.removed_count), 0) as "removedCount",
  coalesce(sum(${alias}.active_count), 0) as "activeCount",
  coalesce(sum(${alias}.join_request_count), 0) as "joinRequestCount"`;

/**
 * A budget for each of a number of people, rounded half away from zero.
 * @param budget an exact decimal with two fraction digits, not negative.
 * @returns an exact decimal with two fraction digits; null for a budget of 0.00 and for nobody.
 */
export function costPer(budget: string, people: number): string | null {
  const cents = BigInt(budget.replace(".", ""));
  if (cents === 0n || people <= 0) return null;
  const each = (2n * cents + BigInt(people)) / (2n * BigInt(people));
  return `${each / 100n}.${String(each % 100n).padStart(2, "0")}`;
}

import sql, { empty, type Sql } from "sql-template-tag";
import type { Database } from "../../../database/database.js";
import type { Instant } from "../../../database/instant.js";
import { Problems } from "../../shared/errors.js";
import { lazy } from "../../shared/lazy.js";
import { type CalendarUnit, periodAround } from "../../time/buckets.js";
import { instantOf } from "../../time/quarters.js";
import type { TimeZone } from "../../time/timeZone.js";
import { type LinkSelection, selected } from "../selection.js";
import { type Grouping, hasEveryLink, selectedLinks } from "./linkSource.js";
import { type MemberSums, memberSumColumns } from "./memberCounts.js";
import { NO_RETENTION, type Retention, readRetention } from "./retention.js";

const MAX_GROUPS = 1_000;
const DAY_MS = 86_400_000;

/** What links are grouped by. */
export type GroupedBy =
  | { readonly by: "TAG"; readonly typeId: string }
  | { readonly by: "CREATOR" }
  | { readonly by: "CREATED"; readonly unit: CalendarUnit; readonly zone: TimeZone };

/** Links that are grouped together. */
export interface LinkGroup extends MemberSums {
  /** Null for links without a tag of the type, and where links are not grouped by tags. */
  readonly tagId: string | null;
  /** Null for links whose creator is not known, and where links are not grouped by creators. */
  readonly creatorId: number | null;
  /** When the day, week or month of creation begins; null where links are not grouped by it. */
  readonly from: Instant | null;
  readonly linkCount: number;
  /** An exact decimal with two fraction digits. */
  readonly budget: string;
  /** Read for all groups at once, when it is first called for any of them. */
  retention(): Promise<readonly Retention[]>;
}

/** How many days of UTC a period of a time zone touches at most. */
const DAYS_OF_PERIOD: Record<CalendarUnit, number> = { DAY: 3, WEEK: 9, MONTH: 33 };

/** @returns always throws. */
function refuseGroups(): never {
  const problems = new Problems();
  problems.add(
    "by",
    `There are more than ${MAX_GROUPS} groups. Restrict the links, or group them by longer periods.`,
  );
  problems.check();
  throw new TypeError("The problem was not reported.");
}

/** The days of UTC on which selected links were created, in order, as many as `most`. */
async function daysOfCreation(database: Database, selection: LinkSelection, most: number): Promise<number[]> {
  const { with: prefix, where } = selected(selection);
  const statement = hasEveryLink(selection)
    ? sql`select day::text as day from link_day where channel_id = ${selection.channelId}::uuid
        group by day having sum(links) > 0 order by day limit ${most}::int`
    : sql`${prefix} select distinct (l.created_at at time zone 'UTC')::date::text as day
        from invite_link l where ${where} order by day limit ${most}::int`;
  const rows = await database.query<{ day: string }>(statement);
  return rows.map(({ day }) => Date.parse(`${day}T00:00:00Z`));
}

/** The beginnings and ends of the periods that touch any of the days, in order, in milliseconds. */
function bordersAround(days: readonly number[], unit: CalendarUnit, zone: TimeZone): number[] {
  const borders = new Set<number>();
  let reached = Number.NEGATIVE_INFINITY;
  for (const day of days) {
    for (let at = Math.max(day, reached); at < day + DAY_MS; at = reached) {
      const [from, to] = periodAround(zone, unit, at);
      borders.add(from).add(to);
      reached = to;
    }
  }
  return [...borders].sort((one, other) => one - other);
}

interface GroupPlan extends Grouping {
  /** ORDER BY of the groups `g`, with the join that it needs. */
  readonly orderJoins: Sql;
  readonly order: Sql;
  readonly show: (key: string | number | null) => Partial<Pick<LinkGroup, "tagId" | "creatorId" | "from">>;
}

async function planOf(database: Database, selection: LinkSelection, grouped: GroupedBy): Promise<GroupPlan> {
  if (grouped.by === "TAG") {
    return {
      key: sql`lt.tag_id`,
      // By the channel as well, so that PostgreSQL may read all tags of the type at once instead of looking up each link's.
      joins: sql`left join invite_link_tag lt on lt.link_id = l.id
        and lt.channel_id = ${selection.channelId}::uuid and lt.type_id = ${grouped.typeId}::uuid`,
      orderJoins: sql`left join tag t on t.id = g.key`,
      order: sql`t.name_key nulls last, g.key nulls last`,
      show: (key) => ({ tagId: key as string | null }),
    };
  }
  if (grouped.by === "CREATOR") {
    return {
      key: sql`l.creator_id`,
      joins: empty,
      orderJoins: empty,
      order: sql`g.key is null, g."joinCount" desc, g.key`,
      show: (key) => ({ creatorId: key as number | null }),
    };
  }
  const { unit, zone } = grouped;
  const most = MAX_GROUPS * DAYS_OF_PERIOD[unit];
  const days = await daysOfCreation(database, selection, most + 1);
  if (days.length > most) refuseGroups();
  const borders = bordersAround(days, unit, zone).map(instantOf);
  return {
    key: sql`width_bucket(l.created_at, ${borders}::timestamptz[])`,
    joins: empty,
    orderJoins: empty,
    order: sql`g.key desc`,
    show: (key) => ({ from: borders[Number(key) - 1] ?? null }),
  };
}

/**
 * Groups the selected links; groups without links are left out. Tags by name, creators by their joins, both with the links
 * without one last; periods from the latest back.
 * @throws ValidationError for more than 1,000 groups.
 */
export async function groupLinks(
  database: Database,
  selection: LinkSelection,
  grouped: GroupedBy,
  now: Date,
): Promise<LinkGroup[]> {
  const plan = await planOf(database, selection, grouped);
  const { with: prefix, where } = selected(selection);
  const rows = await database.query<
    Pick<LinkGroup, "linkCount" | "budget" | keyof MemberSums> & { key: string | number | null }
  >(sql`
    ${prefix} select g.* from (
      select ${plan.key} as key, count(*) as "linkCount", sum(l.budget) as budget, ${memberSumColumns(sql`a`)}
      from invite_link l join link_activity a on a.link_id = l.id ${plan.joins}
      where ${where} group by 1
    ) g ${plan.orderJoins} order by ${plan.order} limit ${MAX_GROUPS + 1}::int`);
  if (rows.length > MAX_GROUPS) refuseGroups();
  const retention = lazy(() => readRetention(database, selectedLinks(selection, plan), now));
  return rows.map(({ key, ...sums }) => ({
    tagId: null,
    creatorId: null,
    from: null,
    ...sums,
    ...plan.show(key),
    retention: async () => (await retention()).get(key === null ? null : String(key)) ?? NO_RETENTION,
  }));
}

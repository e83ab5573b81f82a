import sql, { empty, type Sql } from "sql-template-tag";
import type { Database } from "../../../database/database.js";
import type { Instant } from "../../../database/instant.js";
import { statement } from "../../../database/statement.js";
import { ValidationError } from "../../shared/errors.js";
import { lazy } from "../../shared/lazy.js";
import type { Tag } from "../../tags/tag.js";
import { type CalendarUnit, periodAround } from "../../time/buckets.js";
import { instantOf } from "../../time/quarters.js";
import type { TimeZone } from "../../time/timeZone.js";
import type { LinkSelection } from "../selection.js";
import { groupedLinks, keyInList, type LinkLists, listOfSelection, listsOfTags } from "./linkLists.js";
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

const tooManyGroups = () =>
  new ValidationError([
    {
      field: "by",
      message: `There are more than ${MAX_GROUPS} groups. Restrict the links, or group them by longer periods.`,
    },
  ]);

/** The days of UTC on which links of the lists were created, in order, as many as `most`. */
async function daysOfCreation(database: Database, lists: LinkLists, most: number): Promise<number[]> {
  const rows = await database.query<{ day: string }>(statement("link_groups_days")`
    ${lists.with} select day::text as day from (${lists.days}) found order by found.day limit ${most}::int`);
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

interface GroupPlan {
  /** The key of a link's group, and the join that it needs. */
  readonly key: Sql;
  readonly joins: Sql;
  /** ORDER BY of the groups `g`, with the join that it needs. */
  readonly orderJoins: Sql;
  readonly order: Sql;
  readonly show: (key: string | number | null) => Partial<Pick<LinkGroup, "tagId" | "creatorId" | "from">>;
}

/** Null if there are more groups than are allowed, or if several lists may have as many together. */
async function planOf(database: Database, lists: LinkLists, grouped: GroupedBy): Promise<GroupPlan | null> {
  if (grouped.by === "TAG") {
    return {
      key: sql`lt.tag_id`,
      // An index has the links of a tag. PostgreSQL reads those of all tags of the type instead of looking up each link's.
      joins: sql`left join (
        select tag_id, link_id from invite_link_tag where tag_id = any(array(
          select id from tag where ${lists.isOfChannel(sql`channel_id`)} and type_id = ${grouped.typeId}::uuid))
        ) lt on lt.link_id = l.id`,
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
  const days = await daysOfCreation(database, lists, most + 1);
  if (days.length > most) return null;
  const borders = bordersAround(days, unit, zone).map(instantOf);
  return {
    key: sql`width_bucket(l.created_at, ${borders}::timestamptz[])`,
    joins: empty,
    orderJoins: empty,
    order: sql`g.key desc`,
    show: (key) => ({ from: borders[Number(key) - 1] ?? null }),
  };
}

interface GroupRow extends Pick<LinkGroup, "linkCount" | "budget" | keyof MemberSums> {
  readonly list: string | null;
  readonly place: number;
  readonly key: string | number | null;
}

/**
 * The groups of each list, by the list's tag; of more groups than are allowed, one more than these. One statement, and for
 * periods another. Null as of planOf.
 */
async function readGroups(
  database: Database,
  lists: LinkLists,
  grouped: GroupedBy,
  now: Date,
): Promise<Map<string | null, LinkGroup[]> | null> {
  const plan = await planOf(database, lists, grouped);
  if (plan === null) return null;
  const rows = await database.query<GroupRow>(statement("link_groups_page")`
    ${lists.with}
    select g.* from (
      select g.*, row_number() over (partition by g.list order by ${plan.order}) as place from (
        select ${lists.tagId} as list, ${plan.key} as key, count(*) as "linkCount", sum(l.budget) as budget,
          ${memberSumColumns(sql`a`)}
        from ${lists.from} join link_activity a on a.link_id = l.id and ${lists.isOfChannel(sql`a.channel_id`)}
        ${plan.joins} where ${lists.where} group by 1, 2
      ) g ${plan.orderJoins}
    ) g where g.place <= ${MAX_GROUPS + 1}::int order by g.list, g.place`);
  const retention = lazy(() => readRetention(database, groupedLinks(lists, plan), now));
  const groups = new Map<string | null, LinkGroup[]>();
  for (const { list, key, place: _, ...sums } of rows) {
    const ofList = groups.get(list) ?? [];
    groups.set(list, ofList);
    ofList.push({
      tagId: null,
      creatorId: null,
      from: null,
      ...sums,
      ...plan.show(key),
      retention: async () => (await retention()).get(keyInList(list, key)) ?? NO_RETENTION,
    });
  }
  return groups;
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
  const found = await readGroups(database, listOfSelection(selection), grouped, now);
  const groups = found === null ? null : (found.get(null) ?? []);
  if (groups === null || groups.length > MAX_GROUPS) throw tooManyGroups();
  return groups;
}

/** Groups the links of each tag, as groupLinks does, in the order of the tags. An error stands for too many groups. */
export async function groupLinksOfTags(
  database: Database,
  tags: readonly Tag[],
  grouped: GroupedBy,
  now: Date,
): Promise<(LinkGroup[] | ValidationError)[]> {
  const found = await readGroups(database, listsOfTags(tags), grouped, now);
  if (found === null && tags.length > 1) {
    const each = await Promise.all(tags.map((tag) => groupLinksOfTags(database, [tag], grouped, now)));
    return each.flat();
  }
  return tags.map(({ id }) => {
    const groups = found === null ? null : (found.get(id) ?? []);
    return groups === null || groups.length > MAX_GROUPS ? tooManyGroups() : groups;
  });
}

import sql, { join, raw, type Sql } from "sql-template-tag";
import type { Database } from "../../../database/database.js";
import { quarterAt, quartersOfDays } from "../../time/quarters.js";
import type { LinkSelection } from "../selection.js";
import { groupBy, hasEveryLink, keyOf, type LinkSource, linkedRows, selectedLinks } from "./linkSource.js";

/** The days of `link_quarter.left_within_…`. */
const RETENTION_DAYS = [1, 3, 7, 14, 30] as const;

/** How many members stayed at least so many days of 24 hours. */
export interface Retention {
  readonly days: number;
  /** The joins whose days are over: before the start of the current quarter of an hour, less the days. */
  readonly joinCount: number;
  readonly stayedCount: number;
}

const retentionOf = (counts: readonly number[]): Retention[] =>
  RETENTION_DAYS.map((days, index) => {
    const [joinCount = 0, left = 0] = counts.slice(2 * index, 2 * index + 2);
    return { days, joinCount, stayedCount: joinCount - left };
  });

export const NO_RETENTION: readonly Retention[] = retentionOf([]);

/** The quarter of an hour before which joins count for a number of days. */
const endOf = (now: Date, days: number): Sql => sql`${quarterAt(now.getTime()) - quartersOfDays(days)}::int`;

/** For each number of days the joins, and the leaves within the days, summed up over the rows `s` that are meant. */
const sums = (isMeant: (days: number) => Sql): Sql => {
  const counts = RETENTION_DAYS.flatMap((days) =>
    ["join_count", `left_within_${days}`].map(
      (column) => sql`coalesce(sum(${raw(`s.${column}`)}) filter (where ${isMeant(days)}), 0)`,
    ),
  );
  return sql`array[${join(counts)}]::int[]`;
};

const COUNTED = ["join_count", ...RETENTION_DAYS.map((days) => `left_within_${days}`)];
const columns = (prefix: string): Sql => raw(COUNTED.map((column) => `${prefix}${column}`).join(", "));

/** Greater than any quarter of an hour. */
const EVER = sql`2147483647`;

/**
 * The retention of the links of each key; a key without links is missing. One statement. The links' own counters have all
 * joins, so that only the quarters are read whose days are not over for each number of days.
 */
export async function readRetention(
  database: Database,
  source: LinkSource,
  now: Date,
): Promise<Map<string | null, readonly Retention[]>> {
  const days = RETENTION_DAYS.at(-1) ?? 0;
  const rows = await database.query<{ key: string | null; counts: number[] }>(sql`
    ${source.with}
    select (${keyOf(source)})::text as key, ${sums((each) => sql`s.quarter >= ${endOf(now, each)}`)} as counts
    from (
      select ${keyOf(source)} as key, ${EVER} as quarter, ${columns("a.")}
      ${linkedRows(source, sql`link_activity a`, sql`a.link_id`)}
      union all
      select ${keyOf(source)}, r.quarter, ${columns("-r.")}
      ${linkedRows(source, sql`link_quarter r`, sql`r.link_id`)} and r.quarter >= ${endOf(now, days)}
    ) s ${groupBy(source)}`);
  return new Map(rows.map(({ key, counts }) => [key, retentionOf(counts)]));
}

/** The retention of the selected links together. */
export async function retentionOfSelection(
  database: Database,
  selection: LinkSelection,
  now: Date,
): Promise<readonly Retention[]> {
  if (!hasEveryLink(selection)) {
    const found = await readRetention(database, selectedLinks(selection), now);
    return found.get(null) ?? NO_RETENTION;
  }
  const rows = await database.query<{ counts: number[] }>(sql`
    select ${sums((each) => sql`s.quarter < ${endOf(now, each)}`)} as counts from channel_quarter s
    where s.channel_id = ${selection.channelId}::uuid and s.has_link and s.quarter < ${endOf(now, RETENTION_DAYS[0])}`);
  return retentionOf(rows[0]?.counts ?? []);
}

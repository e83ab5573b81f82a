import sql, { join, raw, type Sql } from "sql-template-tag";
import type { Database } from "../../../database/database.js";
import { quarterAt, quartersOfDays } from "../../time/quarters.js";
import type { LinkSelection } from "../selection.js";
import { hasEveryLink, type LinkSource, selectedLinks } from "./linkSource.js";

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

/** An array of the joins and the leaves within each number of days, summed up over rows of quarters `q`. */
const sums = (now: Date): Sql => {
  const counts = RETENTION_DAYS.flatMap((days) =>
    ["join_count", `left_within_${days}`].map(
      (column) => sql`coalesce(sum(${raw(`q.${column}`)}) filter (where q.quarter < ${endOf(now, days)}), 0)`,
    ),
  );
  return sql`array[${join(counts)}]::int[]`;
};

/** The shortest number of days has the latest joins. */
const inTime = (now: Date): Sql => sql`q.quarter < ${endOf(now, RETENTION_DAYS[0])}`;

/** The retention of the links of each key; a key without joins is missing. One statement. */
export async function readRetention(
  database: Database,
  source: LinkSource,
  now: Date,
): Promise<Map<string | null, readonly Retention[]>> {
  const rows = await database.query<{ key: string | null; counts: number[] }>(sql`
    ${source.with} select s.key, ${sums(now)} as counts
    from (${source.rows}) s
    join link_quarter q on q.channel_id = s.channel_id and q.link_id = s.link_id and ${inTime(now)}
    group by s.key`);
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
    select ${sums(now)} as counts from channel_quarter q
    where q.channel_id = ${selection.channelId}::uuid and q.has_link and ${inTime(now)}`);
  return retentionOf(rows[0]?.counts ?? []);
}

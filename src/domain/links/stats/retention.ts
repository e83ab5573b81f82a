import sql, { empty, join, raw, type Sql } from "sql-template-tag";
import type { Database } from "../../../database/database.js";
import { type NamedStatement, statement } from "../../../database/statement.js";
import { quarterAt, quartersOfDays } from "../../time/quarters.js";
import type { LinkSelection } from "../selection.js";
import { groupBy, hasEveryLink, keyOf, type LinkSource, linkedRows, partOfChannel } from "./linkSource.js";

/** The days of `link_quarter.left_within_…`. */
const RETENTION_DAYS = [1, 3, 7, 14, 30] as const;
const MOST_DAYS = 30;

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
/** @param factor "", or "-", or "… *" */
const columns = (alias: string, factor: Sql = empty): Sql =>
  join(COUNTED.map((column) => sql`${factor} ${raw(`${alias}.${column}`)} as ${raw(column)}`));

/** Greater than any quarter of an hour. */
const EVER = sql`2147483647`;

/**
 * Rows with the joins that count for a number of days where `quarter` is not before their end: all joins of the source, less
 * those whose days are not over. The links' own counters have all joins, so that few quarters are read.
 */
const rowsOfSource = (source: LinkSource, now: Date, sign = sql`1`): Sql => sql`
  select ${keyOf(source)} as key, ${EVER} as quarter, ${columns("a", sql`${sign} *`)}
  ${linkedRows(source, sql`link_activity a`, sql`a.link_id`)}
  union all
  select ${keyOf(source)}, r.quarter, ${columns("r", sql`- ${sign} *`)}
  ${linkedRows(source, sql`link_quarter r`, sql`r.link_id`)} and r.quarter >= ${endOf(now, MOST_DAYS)}`;

/** The retention of the links of each key; a key without links is missing. One statement. */
export async function readRetention(
  database: Database,
  source: LinkSource,
  now: Date,
): Promise<Map<string | null, readonly Retention[]>> {
  const rows = await database.query<{ key: string | null; counts: number[] }>(statement(
    "link_retention_by_key",
  )`
    ${source.with}
    select (${keyOf(source)})::text as key, ${sums((days) => sql`s.quarter >= ${endOf(now, days)}`)} as counts
    from (${rowsOfSource(source, now)}) s ${groupBy(source)}`);
  return new Map(rows.map(({ key, counts }) => [key, retentionOf(counts)]));
}

/** The retention of the selected links together. */
export async function retentionOfSelection(
  database: Database,
  selection: LinkSelection,
  now: Date,
): Promise<readonly Retention[]> {
  const ofChannel = sql`
    from channel_quarter q where q.channel_id = ${selection.channelId}::uuid and q.has_link`;
  const isOver = (days: number) => sql`s.quarter < ${endOf(now, days)}`;
  const read = async (sum: NamedStatement) => (await database.query<{ counts: number[] }>(sum))[0]?.counts;
  if (hasEveryLink(selection)) {
    const all = sql`select q.* ${ofChannel} and q.quarter < ${endOf(now, RETENTION_DAYS[0])}`;
    return retentionOf(
      (await read(
        statement("link_retention_of_channel")`select ${sums(isOver)} as counts from (${all}) s`,
      )) ?? [],
    );
  }
  const source = partOfChannel(selection);
  const counts = await read(statement("link_retention_selected")`
    ${source.with}
    select ${sums((days) => sql`s.quarter >= ${endOf(now, days)}`)} as counts
    from (
      ${rowsOfSource(source, now, source.sign)}
      union all
      select null, ${EVER}, ${columns("q")} ${ofChannel} and ${source.isRest}
      union all
      select null, q.quarter, ${columns("q", sql`-`)} ${ofChannel} and ${source.isRest}
        and q.quarter >= ${endOf(now, MOST_DAYS)}
    ) s`);
  return retentionOf(counts ?? []);
}

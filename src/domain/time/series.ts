import sql, { join, type Sql } from "sql-template-tag";
import type { Bucket, Buckets } from "./buckets.js";

/** What happened in a bucket of time, and how many members there were at its end. */
export interface SeriesBucket extends Bucket {
  readonly joinCount: number;
  readonly leaveCount: number;
  readonly joinRequestCount: number;
  readonly activeCount: number;
}

/** Sums of a bucket, numbered from 1; the bucket 0 is everything before the span. */
export interface SeriesRow {
  readonly bucket: number;
  readonly joins: number;
  readonly leaves: number;
  /** The part of `leaves` whose join is unknown. */
  readonly unknownLeaves: number;
  readonly requests: number;
}

/** Buckets of one length that follow each other. */
interface Run {
  readonly bucket: number;
  readonly start: number;
  readonly length: number;
  end: number;
}

function runsOf(borders: readonly number[]): Run[] {
  const runs: Run[] = [];
  for (const [index, end] of borders.entries()) {
    const start = borders[index - 1];
    if (start === undefined) continue;
    const last = runs.at(-1);
    if (last?.length === end - start) last.end = end;
    else runs.push({ bucket: index, start, length: end - start, end });
  }
  return runs;
}

/** A longer list of comparisons would cost more than searching the borders. */
const MAX_RUNS = 10;

/**
 * The number of the bucket of a row of quarters `q`: 0 before the first, and one more than the last after it. Days and weeks
 * have one length between two changes of the clocks, and a division is faster than searching the borders of all.
 */
export function bucketOf({ borders }: Buckets): Sql {
  const runs = runsOf(borders);
  if (runs.length > MAX_RUNS) return sql`width_bucket(q.quarter, ${borders}::int[])`;
  const cases = runs.map(
    ({ bucket, start, length, end }) =>
      sql`when q.quarter < ${end}::int then (q.quarter - ${start}::int) / ${length}::int + ${bucket}::int`,
  );
  return sql`case when q.quarter < ${borders[0]}::int then 0 ${join(cases, " ")} else ${borders.length}::int end`;
}

/** The condition that a row of quarters `q` lies before the end of the span. */
export const beforeEnd = ({ borders }: Buckets): Sql => sql`q.quarter < ${borders.at(-1)}::int`;

/** Puts sums into the buckets of a series, empty ones included. */
export function toSeries({ buckets }: Buckets, rows: readonly SeriesRow[]): SeriesBucket[] {
  const found = new Map(rows.map((row) => [row.bucket, row]));
  const change = (bucket: number): number => {
    const { joins = 0, leaves = 0, unknownLeaves = 0 } = found.get(bucket) ?? {};
    return joins - leaves + unknownLeaves;
  };
  let activeCount = change(0);
  return buckets.map(({ from, to }, index) => {
    const { joins = 0, leaves = 0, requests = 0 } = found.get(index + 1) ?? {};
    activeCount += change(index + 1);
    return { from, to, joinCount: joins, leaveCount: leaves, joinRequestCount: requests, activeCount };
  });
}

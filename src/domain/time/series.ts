import sql, { type Sql } from "sql-template-tag";
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

/** The number of the bucket of a row of quarters `q`. */
export const bucketOf = ({ borders }: Buckets): Sql => sql`width_bucket(q.quarter, ${borders}::int[])`;

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

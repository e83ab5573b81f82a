import sql from "sql-template-tag";
import type { Database } from "../../../database/database.js";
import type { Buckets } from "../../time/buckets.js";
import { beforeEnd, bucketOf, type SeriesBucket, type SeriesRow, toSeries } from "../../time/series.js";
import type { LinkSelection } from "../selection.js";
import { hasEveryLink, type LinkSource, selectedLinks } from "./linkSource.js";

/** The sums of the links of each key; a key without anything is missing. One statement. */
async function readSums(
  database: Database,
  source: LinkSource,
  buckets: Buckets,
): Promise<Map<string | null, SeriesRow[]>> {
  const rows = await database.query<SeriesRow & { key: string | null }>(sql`
    ${source.with} select s.key, ${bucketOf(buckets)} as bucket, sum(q.join_count) as joins,
      sum(q.leave_count) as leaves, 0 as "unknownLeaves", sum(q.join_request_count) as requests
    from (${source.rows}) s
    join link_quarter q on q.channel_id = s.channel_id and q.link_id = s.link_id and ${beforeEnd(buckets)}
    group by s.key, bucket`);
  const sums = new Map<string | null, SeriesRow[]>();
  for (const row of rows) {
    const ofKey = sums.get(row.key);
    if (ofKey) ofKey.push(row);
    else sums.set(row.key, [row]);
  }
  return sums;
}

/** The series of the links of each key, in the order of the keys. One statement. */
export async function readSeries(
  database: Database,
  source: LinkSource,
  buckets: Buckets,
  keys: readonly string[],
): Promise<SeriesBucket[][]> {
  const sums = await readSums(database, source, buckets);
  return keys.map((key) => toSeries(buckets, sums.get(key) ?? []));
}

/** The series of the selected links together. */
export async function seriesOfSelection(
  database: Database,
  selection: LinkSelection,
  buckets: Buckets,
): Promise<SeriesBucket[]> {
  if (!hasEveryLink(selection)) {
    const sums = await readSums(database, selectedLinks(selection), buckets);
    return toSeries(buckets, sums.get(null) ?? []);
  }
  const rows = await database.query<SeriesRow>(sql`
    select ${bucketOf(buckets)} as bucket, sum(q.join_count) as joins, sum(q.leave_count) as leaves,
      0 as "unknownLeaves", sum(q.join_request_count) as requests
    from channel_quarter q
    where q.channel_id = ${selection.channelId}::uuid and q.has_link and ${beforeEnd(buckets)}
    group by bucket`);
  return toSeries(buckets, rows);
}

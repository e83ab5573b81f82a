import sql from "sql-template-tag";
import type { Database } from "../../../database/database.js";
import { statement } from "../../../database/statement.js";
import type { Buckets } from "../../time/buckets.js";
import { beforeEnd, bucketOf, type SeriesBucket, type SeriesRow, toSeries } from "../../time/series.js";
import type { LinkSelection } from "../selection.js";
import { groupBy, hasEveryLink, keyOf, type LinkSource, linkedRows, partOfChannel } from "./linkSource.js";

interface SumRow extends Omit<SeriesRow, "bucket"> {
  /** Null: not a bucket, but in `joins` the members who are there now. */
  readonly bucket: number | null;
}

/**
 * The members at the beginning of a span are those of now, less what has changed since. Series are mostly of recent times,
 * so that this reads fewer quarters than everything before the span.
 */
function withBeginning(rows: readonly SumRow[]): SeriesRow[] {
  const buckets: SeriesRow[] = [];
  let members = 0;
  for (const { bucket, ...sums } of rows) {
    members += bucket === null ? sums.joins : sums.leaves - sums.joins;
    if (bucket !== null) buckets.push({ bucket, ...sums });
  }
  return [...buckets, { bucket: 0, joins: members, leaves: 0, unknownLeaves: 0, requests: 0 }];
}

/** The sums of the links of each key; a key without links is missing. One statement. */
async function readSums(
  database: Database,
  source: LinkSource,
  buckets: Buckets,
): Promise<Map<string | null, SeriesRow[]>> {
  const key = sql`(${keyOf(source)})::text`;
  const rows = await database.query<SumRow & { key: string | null }>(statement("link_series_by_key")`
    ${source.with}
    select ${key} as key, ${bucketOf(buckets)} as bucket, sum(q.join_count) as joins, sum(q.leave_count) as leaves,
      0 as "unknownLeaves", sum(q.join_request_count) as requests
    ${linkedRows(source, sql`link_quarter q`, sql`q.link_id`)} and q.quarter >= ${buckets.borders[0]}::int
    ${groupBy(source, sql`bucket`)}
    union all
    select ${key}, null, coalesce(sum(a.active_count), 0), 0, 0, 0
    ${linkedRows(source, sql`link_activity a`, sql`a.link_id`)} ${groupBy(source)}`);
  const ofKeys = new Map<string | null, SumRow[]>();
  for (const row of rows) {
    const ofKey = ofKeys.get(row.key);
    if (ofKey) ofKey.push(row);
    else ofKeys.set(row.key, [row]);
  }
  return new Map([...ofKeys].map(([key, ofKey]) => [key, withBeginning(ofKey)]));
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

/** The sums of the selected links together: those of a source, or those of the channel less these. One statement. */
async function readSelection(
  database: Database,
  selection: LinkSelection,
  buckets: Buckets,
): Promise<SeriesRow[]> {
  const source = partOfChannel(selection);
  const { sign, isRest } = source;
  const ofChannel = sql`
    from channel_quarter q where q.channel_id = ${selection.channelId}::uuid and q.has_link and ${isRest}`;
  const inSpan = sql`q.quarter >= ${buckets.borders[0]}::int`;
  const sums = sql`sum(q.join_count) as joins, sum(q.leave_count) as leaves, sum(q.join_request_count) as requests`;
  const rows = await database.query<SumRow>(statement("link_series_selected")`
    ${source.with}
    select bucket, sum(joins)::bigint as joins, sum(leaves)::bigint as leaves, 0 as "unknownLeaves",
      sum(requests)::bigint as requests
    from (
      select bucket, ${sign} * joins as joins, ${sign} * leaves as leaves, ${sign} * requests as requests
      from (
        select ${bucketOf(buckets)} as bucket, ${sums} ${linkedRows(source, sql`link_quarter q`, sql`q.link_id`)}
          and ${inSpan} group by 1
        union all
        select null, coalesce(sum(a.active_count), 0), 0, 0
        ${linkedRows(source, sql`link_activity a`, sql`a.link_id`)}
      ) of_source
      union all
      select ${bucketOf(buckets)} as bucket, ${sums} ${ofChannel} and ${inSpan} group by 1
      union all
      select null, coalesce(sum(q.join_count - q.leave_count), 0), 0, 0 ${ofChannel}
    ) summed group by bucket`);
  return withBeginning(rows);
}

/** The series of the selected links together. */
export async function seriesOfSelection(
  database: Database,
  selection: LinkSelection,
  buckets: Buckets,
): Promise<SeriesBucket[]> {
  if (!hasEveryLink(selection)) return toSeries(buckets, await readSelection(database, selection, buckets));
  const rows = await database.query<SeriesRow>(statement("link_series_of_channel")`
    select ${bucketOf(buckets)} as bucket, sum(q.join_count) as joins, sum(q.leave_count) as leaves,
      0 as "unknownLeaves", sum(q.join_request_count) as requests
    from channel_quarter q
    where q.channel_id = ${selection.channelId}::uuid and q.has_link and ${beforeEnd(buckets)}
    group by bucket`);
  return toSeries(buckets, rows);
}

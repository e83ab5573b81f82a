import DataLoader from "dataloader";
import sql from "sql-template-tag";
import type { Database } from "../../database/database.js";
import type { Instant } from "../../database/instant.js";
import { statement } from "../../database/statement.js";
import type { Channel } from "../channels/channel.js";
import { batchUse, inKeyOrder, isOneOf, UUID } from "../paging/batchLoading.js";
import { type Buckets, bucketsOf, type SeriesArguments } from "../time/buckets.js";
import { beforeEnd, bucketOf, type SeriesBucket, type SeriesRow, toSeries } from "../time/series.js";

const MAX_GAPS = 100;

/** All that was counted in a channel, with and without a link. */
export interface ActivityCounts {
  readonly channelId: string;
  readonly joinCount: number;
  /** All leaves, those of members whose join is unknown included. */
  readonly leaveCount: number;
  readonly joinRequestCount: number;
  /** The part of joinCount that came without a link that is known here. */
  readonly withoutLinkCount: number;
  /** Telegram's last answer; null before the first one. */
  readonly memberCount: number | null;
  /** memberCount less what the counts say it should be; null where that is not known. */
  readonly drift: number | null;
  /** When the first update of the channel was stored; null before. */
  readonly since: Instant | null;
  readonly lastUpdateAt: Instant | null;
}

export type CoverageGapReason = "BOT_ABSENT" | "NOT_RECEIVING" | "UPDATES_MISSING";

/** A span in which updates may have been missed. */
export interface CoverageGap {
  readonly from: Instant;
  /** Null while the gap is open. */
  readonly to: Instant | null;
  readonly reason: CoverageGapReason;
}

const countColumns = sql`
  a.channel_id as "channelId", a.join_count as "joinCount", a.leave_count as "leaveCount",
  a.join_request_count as "joinRequestCount", a.without_link_count as "withoutLinkCount",
  a.member_count as "memberCount", a.since, a.last_update_at as "lastUpdateAt",
  a.member_count - a.first_member_count - (a.member_count_balance - a.first_member_count_balance) as drift`;

const NOTHING: Omit<ActivityCounts, "channelId"> = {
  joinCount: 0,
  leaveCount: 0,
  joinRequestCount: 0,
  withoutLinkCount: 0,
  memberCount: null,
  drift: null,
  since: null,
  lastUpdateAt: null,
};

/** What was counted in channels that the caller may see, for one request. Each method reads all channels of a page at once. */
export class ChannelActivities {
  readonly #database: Database;
  readonly #counts: DataLoader<string, ActivityCounts>;
  readonly #gaps: DataLoader<string, CoverageGap[]>;
  readonly #series = new Map<string, DataLoader<string, SeriesBucket[]>>();

  constructor(database: Database) {
    this.#database = database;
    this.#counts = new DataLoader<string, ActivityCounts>(async (ids) => {
      const rows = await database.query<ActivityCounts>(
        statement("channel_activity_by_id")`
          select ${countColumns} from channel_activity a where ${isOneOf(sql`a.channel_id`, ids, UUID)}`,
        batchUse(ids),
      );
      const found = inKeyOrder(ids, rows, ({ channelId }) => channelId);
      return found.map((counts, index) => counts ?? { channelId: ids[index] as string, ...NOTHING });
    });
    this.#gaps = new DataLoader<string, CoverageGap[]>((ids) => this.#readGaps(ids));
  }

  counts({ id }: Channel): Promise<ActivityCounts> {
    return this.#counts.load(id);
  }

  /** The latest first, at most 100. */
  gaps({ id }: Channel): Promise<CoverageGap[]> {
    return this.#gaps.load(id);
  }

  /**
   * Everything that happened in the channel, bucket by bucket. `activeCount` is the number of members whose join is known.
   * @throws ValidationError
   */
  async series({ id, timeZone }: Channel, args: SeriesArguments): Promise<SeriesBucket[]> {
    const buckets = bucketsOf(args, args.timeZone ?? timeZone);
    const key = JSON.stringify(buckets.borders);
    const loader =
      this.#series.get(key) ??
      new DataLoader<string, SeriesBucket[]>((ids) => this.#readSeries(ids, buckets));
    this.#series.set(key, loader);
    return loader.load(id);
  }

  /** A gap without a channel is one of all channels. */
  async #readGaps(ids: readonly string[]): Promise<CoverageGap[][]> {
    const rows = await this.#database.query<CoverageGap & { channelId: string }>(statement(
      "channel_coverage_gaps",
    )`
      select given.channel_id as "channelId", gap.from_at as "from", gap.to_at as "to", gap.reason
      from unnest(${ids}::uuid[]) as given (channel_id)
      cross join lateral (
        select g.* from coverage_gap g where g.channel_id = given.channel_id or g.channel_id is null
        order by g.from_at desc, g.id desc limit ${MAX_GAPS}::int
      ) gap
      order by gap.from_at desc, gap.id desc`);
    const gaps = new Map<string, CoverageGap[]>(ids.map((id) => [id, []]));
    for (const { channelId, ...gap } of rows) gaps.get(channelId)?.push(gap);
    return ids.map((id) => gaps.get(id) ?? []);
  }

  async #readSeries(ids: readonly string[], buckets: Buckets): Promise<SeriesBucket[][]> {
    const rows = await this.#database.query<SeriesRow & { channelId: string }>(statement("channel_series")`
      select q.channel_id as "channelId", ${bucketOf(buckets)} as bucket, sum(q.join_count) as joins,
        sum(q.leave_count) as leaves, sum(q.unknown_leave_count) as "unknownLeaves",
        sum(q.join_request_count) as requests
      from channel_quarter q
      where q.channel_id = any(${ids}::uuid[]) and ${beforeEnd(buckets)} group by q.channel_id, bucket`);
    return ids.map((id) =>
      toSeries(
        buckets,
        rows.filter(({ channelId }) => channelId === id),
      ),
    );
  }
}

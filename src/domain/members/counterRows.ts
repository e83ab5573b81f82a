import sql, { raw, type Sql } from "sql-template-tag";
import type { Instant } from "../../database/instant.js";
import { type ArrayColumn, namesOf, recordsOf } from "../stays/arrays.js";
import {
  type ChannelCounts,
  type Contributions,
  type LinkCounts,
  type QuarterCounts,
  RETENTION_DAYS,
} from "./contributions.js";

/** A channel's part in a batch. */
export interface ChannelChange {
  readonly channelId: string;
  readonly lastSequence: number;
  readonly contributions: Contributions;
}

interface LinkRow {
  readonly channelId: string;
  readonly linkId: string;
  readonly counts: LinkCounts;
}

interface QuarterRow {
  readonly channelId: string;
  readonly linkId: string | null;
  readonly quarter: number;
  readonly counts: QuarterCounts;
}

const CHANNEL_COLUMNS: readonly ArrayColumn<ChannelChange>[] = [
  { name: "channel_id", type: "uuid", value: ({ channelId }) => channelId },
  { name: "last_sequence", type: "bigint", value: ({ lastSequence }) => lastSequence },
  ...(
    [
      ["join_count", "joins"],
      ["leave_count", "leaves"],
      ["join_request_count", "requests"],
      ["without_link_count", "joinsWithoutLink"],
    ] as const satisfies readonly (readonly [string, keyof ChannelCounts])[]
  ).map(([name, count]) => ({
    name,
    type: "int",
    value: ({ contributions }: ChannelChange) => contributions.channel[count],
  })),
];

const LEFT_COLUMNS = RETENTION_DAYS.map(
  (days, index): ArrayColumn<{ readonly counts: { readonly left: readonly number[] } }> => ({
    name: `left_within_${days}`,
    type: "int",
    value: ({ counts }) => counts.left[index] ?? 0,
  }),
);

const LINK_COLUMNS: readonly ArrayColumn<LinkRow>[] = [
  { name: "link_id", type: "uuid", value: ({ linkId }) => linkId },
  { name: "channel_id", type: "uuid", value: ({ channelId }) => channelId },
  { name: "join_count", type: "int", value: ({ counts }) => counts.joins },
  { name: "active_count", type: "int", value: ({ counts }) => counts.joins - counts.leaves },
  { name: "last_join_at", type: "timestamptz", value: ({ counts }) => counts.lastJoinAt },
  { name: "leave_count", type: "int", value: ({ counts }) => counts.leaves },
  { name: "removed_count", type: "int", value: ({ counts }) => counts.removed },
  { name: "unique_join_count", type: "int", value: ({ counts }) => counts.uniqueJoins },
  { name: "join_request_count", type: "int", value: ({ counts }) => counts.requests },
  { name: "pending_join_request_count", type: "int", value: ({ counts }) => counts.pendingRequests },
  { name: "first_join_at", type: "timestamptz", value: ({ counts }) => counts.firstJoinAt },
  ...LEFT_COLUMNS,
];

const QUARTER_COLUMNS: readonly ArrayColumn<QuarterRow>[] = [
  { name: "channel_id", type: "uuid", value: ({ channelId }) => channelId },
  { name: "quarter", type: "int", value: ({ quarter }) => quarter },
  { name: "join_count", type: "int", value: ({ counts }) => counts.joins },
  { name: "leave_count", type: "int", value: ({ counts }) => counts.leaves },
  { name: "join_request_count", type: "int", value: ({ counts }) => counts.requests },
  ...LEFT_COLUMNS,
];

const LINK_QUARTER_COLUMNS: readonly ArrayColumn<QuarterRow>[] = [
  { name: "link_id", type: "uuid", value: ({ linkId }) => linkId },
  ...QUARTER_COLUMNS,
];

const CHANNEL_QUARTER_COLUMNS: readonly ArrayColumn<QuarterRow>[] = [
  { name: "has_link", type: "boolean", value: ({ linkId }) => (linkId === null ? "f" : "t") },
  { name: "unknown_leave_count", type: "int", value: ({ counts }) => counts.unknownLeaves },
  { name: "removed_count", type: "int", value: ({ counts }) => counts.removed },
  ...QUARTER_COLUMNS,
];

/** Assignments that add to the counts of a row that exists already. */
const adding = <Row>(table: string, columns: readonly ArrayColumn<Row>[]): Sql =>
  raw(
    columns
      .filter(({ name }) => /_count$|^left_within_/.test(name))
      .map(({ name }) => `${name} = ${table}.${name} + excluded.${name}`)
      .join(", "),
  );

const COUNTS = ["joins", "leaves", "unknownLeaves", "removed", "requests"] as const;

const isZero = (counts: QuarterCounts): boolean =>
  COUNTS.every((count) => counts[count] === 0) && counts.left.every((count) => count === 0);

const isUnchanged = (counts: LinkCounts): boolean =>
  counts.firstJoinAt === null &&
  [
    counts.joins,
    counts.leaves,
    counts.removed,
    counts.uniqueJoins,
    counts.requests,
    counts.pendingRequests,
    ...counts.left,
  ].every((count) => count === 0);

const linkRowsOf = ({ channelId, contributions }: ChannelChange): LinkRow[] =>
  [...contributions.links].flatMap(([linkId, counts]) =>
    isUnchanged(counts) ? [] : [{ channelId, linkId, counts }],
  );

const linkQuartersOf = ({ channelId, contributions }: ChannelChange): QuarterRow[] =>
  [...contributions.quarters].flatMap(([linkId, quarters]) =>
    linkId === null
      ? []
      : [...quarters].flatMap(([quarter, counts]) =>
          isZero(counts) ? [] : [{ channelId, linkId, quarter, counts }],
        ),
  );

/** The sums over all links, and what happened without a link. */
function channelQuartersOf({ channelId, contributions }: ChannelChange): QuarterRow[] {
  const sums = new Map<string, QuarterRow>();
  for (const [linkId, quarters] of contributions.quarters) {
    for (const [quarter, counts] of quarters) {
      const key = `${linkId !== null} ${quarter}`;
      const sum = sums.get(key);
      if (!sum) {
        sums.set(key, { channelId, linkId, quarter, counts: { ...counts, left: [...counts.left] } });
        continue;
      }
      for (const count of COUNTS) sum.counts[count] += counts[count];
      for (const [index, within] of counts.left.entries())
        sum.counts.left[index] = (sum.counts.left[index] ?? 0) + within;
    }
  }
  return [...sums.values()].filter(({ counts }) => !isZero(counts));
}

/**
 * The parts of a statement that add to counters. Each inserts rows and adds to those that exist: unlike UPDATE, this cannot
 * be planned to read a whole table.
 * @param now when the updates are stored; null if no update made the changes
 */
export function addCounts(changes: readonly ChannelChange[], now: Instant | null): readonly Sql[] {
  const links = recordsOf(
    { name: "link_activity_record", columns: LINK_COLUMNS },
    changes.flatMap(linkRowsOf),
  );
  const linkQuarters = recordsOf(
    { name: "link_quarter_record", columns: LINK_QUARTER_COLUMNS },
    changes.flatMap(linkQuartersOf),
  );
  const channelQuarters = recordsOf(
    { name: "channel_quarter_record", columns: CHANNEL_QUARTER_COLUMNS },
    changes.flatMap(channelQuartersOf),
  );
  const channels = recordsOf({ name: "channel_activity_record", columns: CHANNEL_COLUMNS }, changes);
  return [
    sql`insert into link_activity (${namesOf(LINK_COLUMNS)}) select ${namesOf(LINK_COLUMNS)} from ${links}
      on conflict (link_id) do update set ${adding("link_activity", LINK_COLUMNS)},
        first_join_at = least(link_activity.first_join_at, excluded.first_join_at),
        last_join_at = greatest(link_activity.last_join_at, excluded.last_join_at)`,
    sql`insert into link_quarter (${namesOf(LINK_QUARTER_COLUMNS)})
      select ${namesOf(LINK_QUARTER_COLUMNS)} from ${linkQuarters}
      on conflict (link_id, quarter) do update set ${adding("link_quarter", LINK_QUARTER_COLUMNS)}`,
    sql`insert into channel_quarter (${namesOf(CHANNEL_QUARTER_COLUMNS)})
      select ${namesOf(CHANNEL_QUARTER_COLUMNS)} from ${channelQuarters}
      on conflict (channel_id, has_link, quarter)
        do update set ${adding("channel_quarter", CHANNEL_QUARTER_COLUMNS)}`,
    sql`insert into channel_activity (${namesOf(CHANNEL_COLUMNS)}, since, last_update_at)
      select ${namesOf(CHANNEL_COLUMNS)}, ${now}::timestamptz, ${now}::timestamptz
      from ${channels}
      on conflict (channel_id) do update set ${adding("channel_activity", CHANNEL_COLUMNS)},
        last_sequence = excluded.last_sequence,
        last_update_at = coalesce(excluded.last_update_at, channel_activity.last_update_at),
        since = coalesce(channel_activity.since, excluded.since)`,
  ];
}

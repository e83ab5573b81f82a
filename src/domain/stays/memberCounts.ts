import sql, { join, raw, type Sql } from "sql-template-tag";
import type { Database } from "../../database/database.js";
import type { MaintenanceSession } from "../../database/maintenance.js";
import { statement } from "../../database/statement.js";
import type { Counter, FoundDifference } from "../shared/counter.js";
import type { Session } from "./rows.js";

// Compares the counters of members with the memberships and requests, and repairs them. Each batch of updates adds to the
// counters. A write past that, such as a restored table, may leave them wrong.

const ofChannel = (column: Sql, channelId: string | null): Sql =>
  channelId === null ? sql`true` : sql`${column} = ${channelId}::uuid`;

/** The stays: marks are none. */
const stays = (channelId: string | null): Sql => sql`
  select * from membership m
  where (m.joined_at is not null or not m.is_inferred_leave) and ${ofChannel(sql`m.channel_id`, channelId)}`;

const requests = (channelId: string | null): Sql => sql`
  select * from join_request r where ${ofChannel(sql`r.channel_id`, channelId)}`;

const RETENTION_DAYS = [1, 3, 7, 14, 30] as const;
const LEFT_COLUMNS = RETENTION_DAYS.map((days) => `left_within_${days}`);

const quarter = (column: string): Sql => raw(`floor(extract(epoch from ${column}) / 900)::int`);
const LEFT_WITHIN = raw(
  RETENTION_DAYS.map(
    (days) =>
      `count(*) filter (where left_at - joined_at < interval '${days * 24} hours')::int as left_within_${days}`,
  ).join(", "),
);
const NONE_LEFT = raw(LEFT_COLUMNS.map((column) => `0 as ${column}`).join(", "));

/** What happened in each quarter of an hour, by link; link_id is null for what happened without one. */
const quarters = (channelId: string | null): Sql => sql`
  select channel_id, link_id, ${quarter("joined_at")} as quarter, count(*)::int as join_count, 0 as leave_count,
    0 as unknown_leave_count, 0 as removed_count, 0 as join_request_count, ${LEFT_WITHIN}
  from (${stays(channelId)}) stay where joined_at is not null group by 1, 2, 3
  union all
  select channel_id, link_id, ${quarter("left_at")}, 0, count(*)::int,
    count(*) filter (where joined_at is null)::int, count(*) filter (where is_removal)::int, 0, ${NONE_LEFT}
  from (${stays(channelId)}) stay where left_at is not null group by 1, 2, 3
  union all
  select channel_id, link_id, ${quarter("requested_at")}, 0, 0, 0, 0, count(*)::int, ${NONE_LEFT}
  from (${requests(channelId)}) request group by 1, 2, 3`;

/** A table of counters, and how its rows are computed. */
interface CounterTable {
  readonly table: string;
  readonly keys: readonly string[];
  readonly counts: readonly string[];
  readonly problem: string;
  /** Selects the correct rows. A row of zeros may be missing. */
  readonly expected: (channelId: string | null) => Sql;
}

const sums = (columns: readonly string[]): Sql =>
  raw(columns.map((column) => `sum(${column})::int as ${column}`).join(", "));

const LINK_QUARTER_COUNTS = ["join_count", "leave_count", "join_request_count", ...LEFT_COLUMNS];
const CHANNEL_QUARTER_COUNTS = [...LINK_QUARTER_COUNTS, "unknown_leave_count", "removed_count"];

const LINK_ACTIVITY: CounterTable = {
  table: "link_activity",
  keys: ["channel_id", "link_id"],
  counts: [
    "join_count",
    "active_count",
    "leave_count",
    "removed_count",
    "unique_join_count",
    "join_request_count",
    "pending_join_request_count",
    "first_join_at",
    "last_join_at",
    ...LEFT_COLUMNS,
  ],
  problem: "links with wrong numbers of members",
  expected: (channelId) => sql`
    select channel_id, link_id, sum(joins)::int as join_count, (sum(joins) - sum(leaves))::int as active_count,
      sum(leaves)::int as leave_count, sum(removed)::int as removed_count, sum(firsts)::int as unique_join_count,
      sum(requests)::int as join_request_count, sum(pending)::int as pending_join_request_count,
      min(first_join_at) as first_join_at, max(last_join_at) as last_join_at, ${sums(LEFT_COLUMNS)}
    from (
      select channel_id, link_id, count(*) as joins, count(left_at) as leaves,
        count(*) filter (where is_removal) as removed, count(*) filter (where is_first_by_link) as firsts,
        0 as requests, 0 as pending, min(joined_at) as first_join_at, max(joined_at) as last_join_at, ${LEFT_WITHIN}
      from (${stays(channelId)}) stay where link_id is not null group by channel_id, link_id
      union all
      select channel_id, link_id, 0, 0, 0, 0, count(*), count(*) filter (where state = 'PENDING'), null, null, ${NONE_LEFT}
      from (${requests(channelId)}) request where link_id is not null group by channel_id, link_id
    ) part group by channel_id, link_id`,
};

const CHANNEL_ACTIVITY: CounterTable = {
  table: "channel_activity",
  keys: ["channel_id"],
  counts: ["join_count", "leave_count", "join_request_count", "without_link_count", "last_sequence"],
  problem: "channels with wrong numbers of members",
  expected: (channelId) => sql`
    select channel_id, sum(joins)::int as join_count, sum(leaves)::int as leave_count,
      sum(requests)::int as join_request_count, sum(without_link)::int as without_link_count,
      max(sequence)::bigint as last_sequence
    from (
      select channel_id, count(joined_at) as joins, count(left_at) as leaves, 0 as requests,
        count(joined_at) filter (where link_id is null) as without_link, 0::bigint as sequence
      from (${stays(channelId)}) stay group by channel_id
      union all
      select channel_id, 0, 0, count(*), 0, 0 from (${requests(channelId)}) request group by channel_id
      union all
      select channel_id, 0, 0, 0, 0, max(sequence) from member_event
      where ${ofChannel(sql`channel_id`, channelId)} group by channel_id
    ) part group by channel_id`,
};

const LINK_QUARTER: CounterTable = {
  table: "link_quarter",
  keys: ["channel_id", "link_id", "quarter"],
  counts: LINK_QUARTER_COUNTS,
  problem: "quarters of an hour of links with wrong numbers of members",
  expected: (channelId) => sql`
    select channel_id, link_id, quarter, ${sums(LINK_QUARTER_COUNTS)}
    from (${quarters(channelId)}) part where link_id is not null group by channel_id, link_id, quarter`,
};

const CHANNEL_QUARTER: CounterTable = {
  table: "channel_quarter",
  keys: ["channel_id", "has_link", "quarter"],
  counts: CHANNEL_QUARTER_COUNTS,
  problem: "quarters of an hour of channels with wrong numbers of members",
  expected: (channelId) => sql`
    select channel_id, link_id is not null as has_link, quarter, ${sums(CHANNEL_QUARTER_COUNTS)}
    from (${quarters(channelId)}) part group by channel_id, link_id is not null, quarter`,
};

const names = (columns: readonly string[], prefix = ""): Sql =>
  raw(columns.map((column) => `${prefix}${column}`).join(", "));

const isTime = (column: string): boolean => column.endsWith("_at");

/** Selects the rows of a table that differ. */
function differing({ table, keys, counts, expected }: CounterTable, channelId: string | null): Sql {
  const conditions = counts.map((column) =>
    raw(
      isTime(column)
        ? `stored.${column} is distinct from expected.${column}`
        : `coalesce(stored.${column}, 0) <> coalesce(expected.${column}, 0)`,
    ),
  );
  const example = keys
    .slice(1)
    .map((key) => `' ${key} ' || coalesce(stored.${key}, expected.${key})`)
    .join(" || ");
  return sql`
    select coalesce(stored.channel_id, expected.channel_id) as channel_id, ${raw(example || "'the channel'")} as example
    from (select * from ${raw(table)} where ${ofChannel(sql`channel_id`, channelId)}) stored
    full join (${expected(channelId)}) expected using (${names(keys)})
    where ${join(conditions, " or ")}`;
}

interface Check {
  readonly counter: string;
  readonly problem: string;
  /** Selects each wrong row's `channel_id` and `example`. */
  readonly wrong: (channelId: string | null) => Sql;
  readonly isRepairable: boolean;
}

const ends = (channelId: string | null): Sql => sql`
  select channel_id, id, join_sequence as sequence, 'JOINED' as kind, joined_at as at, link_id
  from (${stays(channelId)}) stay where joined_at is not null
  union all
  select channel_id, id, leave_sequence, 'LEFT', left_at, link_id
  from (${stays(channelId)}) stay where left_at is not null
  union all
  select channel_id, id, sequence, 'JOIN_REQUESTED', requested_at, link_id from (${requests(channelId)}) request
  union all
  select channel_id, id, decline_sequence, 'JOIN_REQUEST_DECLINED', decided_at, link_id
  from (${requests(channelId)}) request where decision = 'DECLINE'`;

const TABLES: readonly CounterTable[] = [LINK_ACTIVITY, CHANNEL_ACTIVITY, LINK_QUARTER, CHANNEL_QUARTER];

const CHECKS: readonly Check[] = [
  ...TABLES.map(
    (table): Check => ({
      counter: table.table,
      problem: table.problem,
      wrong: (channelId) => differing(table, channelId),
      isRepairable: true,
    }),
  ),
  {
    counter: "membership",
    problem: "persons who are members twice",
    wrong: (channelId) => sql`
      select channel_id, min(id::text) as example from (${stays(channelId)}) stay
      where left_at is null group by channel_id, user_id having count(*) > 1`,
    isRepairable: false,
  },
  {
    counter: "membership",
    problem: "stays and requests without their member event",
    wrong: (channelId) => sql`
      select told.channel_id, told.id::text as example from (${ends(channelId)}) told
      left join member_event e on e.channel_id = told.channel_id and e.sequence = told.sequence
        and e.kind::text = told.kind and e.occurred_at = told.at and e.link_id is not distinct from told.link_id
      where e.id is null`,
    isRepairable: false,
  },
  {
    counter: "member_event",
    problem: "member events of no stay and no request",
    wrong: (channelId) => sql`
      select e.channel_id, e.id::text as example from member_event e
      left join (${ends(channelId)}) told on told.channel_id = e.channel_id and told.sequence = e.sequence
      where told.id is null and ${ofChannel(sql`e.channel_id`, channelId)}`,
    isRepairable: false,
  },
  {
    counter: "member_event",
    problem: "sequences with holes",
    wrong: (channelId) => sql`
      select channel_id, 'last ' || max(sequence) as example from member_event
      where ${ofChannel(sql`channel_id`, channelId)}
      group by channel_id having count(*) <> max(sequence) or min(sequence) <> 1`,
    isRepairable: false,
  },
  {
    counter: "membership",
    problem: "stays and requests by a link that is not the channel's",
    wrong: (channelId) => sql`
      select told.channel_id, told.id::text as example from (${ends(channelId)}) told
      left join invite_link l on l.id = told.link_id and l.channel_id = told.channel_id
      where told.link_id is not null and l.id is null`,
    isRepairable: false,
  },
];

interface MemberDifference extends FoundDifference {
  readonly isRepairable: boolean;
}

async function findDifferences(session: Session, channelId: string | null): Promise<MemberDifference[]> {
  const found: MemberDifference[] = [];
  for (const { counter, problem, wrong, isRepairable } of CHECKS) {
    const rows = await session.query<{ channelId: string; rows: number; example: string }>(statement(
      "member_counts_find_differences",
    )`
      select channel_id as "channelId", count(*) as rows, min(example) as example
      from (${wrong(channelId)}) wrong group by channel_id order by channel_id`);
    for (const row of rows)
      found.push({ counter, problem, isRepairable, ...row, example: row.example.trim() });
  }
  return found;
}

/** The rows of channels in link_quarter, which no index has by their channel. */
export const quartersOfLinks = (channelIds: readonly string[]): Sql => sql`
  channel_id = any(${channelIds}::uuid[])
  and link_id in (select id from invite_link where channel_id = any(${channelIds}::uuid[]))`;

/** Replaces a channel's rows by the correct ones. */
async function rewrite(session: Session, table: CounterTable, channelId: string): Promise<void> {
  const columns = [...table.keys, ...table.counts];
  const ofTable =
    table === LINK_QUARTER ? quartersOfLinks([channelId]) : sql`channel_id = ${channelId}::uuid`;
  await session.query(statement("member_counts_clear")`delete from ${raw(table.table)} where ${ofTable}`);
  await session.query(statement("member_counts_fill")`
    insert into ${raw(table.table)} (${names(columns)})
    select ${names(columns)} from (${table.expected(channelId)}) expected`);
}

/** Sets the counts of the one row that each channel or link has. */
async function reset(session: Session, table: CounterTable, channelId: string): Promise<void> {
  const set = (source: string) =>
    raw(
      table.counts
        .map((column) => {
          const value = `${source}.${column}`;
          return `${column} = ${isTime(column) ? value : `coalesce(${value}, 0)`}`;
        })
        .join(", "),
    );
  const key = raw(table.keys.at(-1) ?? "");
  const target = raw(table.table);
  await session.query(statement("member_counts_reset")`
    update ${target} stored set ${set("expected")}
    from ${target} same left join (${table.expected(channelId)}) expected using (${names(table.keys)})
    where stored.${key} = same.${key} and stored.channel_id = ${channelId}::uuid
      and same.channel_id = ${channelId}::uuid`);
}

/** Gives each link of a channel its row, and takes the channel's rows from others. */
async function placeLinkRows(session: Session, channelId: string): Promise<void> {
  await session.query(statement("member_counts_place_links")`
    insert into link_activity (link_id, channel_id) select id, channel_id from invite_link
    where channel_id = ${channelId}::uuid
    on conflict (link_id) do update set channel_id = excluded.channel_id
      where link_activity.channel_id <> excluded.channel_id`);
  await session.query(statement("member_counts_drop_links")`
    delete from link_activity a where channel_id = ${channelId}::uuid
      and not exists (select from invite_link l where l.id = a.link_id and l.channel_id = a.channel_id)`);
}

/** Computes a table's rows of a channel anew. The channel's row of channel_activity must be locked. */
async function recountTable(session: Session, table: CounterTable, channelId: string): Promise<void> {
  if (table === LINK_ACTIVITY) await placeLinkRows(session, channelId);
  if (table === LINK_ACTIVITY || table === CHANNEL_ACTIVITY) await reset(session, table, channelId);
  else await rewrite(session, table, channelId);
}

/** Computes all counters of a channel anew. The channel's row of channel_activity must be locked. */
export async function recountChannel(session: Session, channelId: string): Promise<void> {
  for (const table of TABLES) await recountTable(session, table, channelId);
}

/** Repairs the rows of one channel in one table. Updates of the channel wait meanwhile. */
async function repairTable(
  session: MaintenanceSession,
  table: CounterTable,
  channelId: string,
): Promise<void> {
  await session.query(statement("member_counts_lock_channel")`
    select from channel_activity where channel_id = ${channelId}::uuid for no key update`);
  // Rows of links that are not the channel's as well.
  if (table === LINK_QUARTER)
    await session.query(statement("member_counts_clear_link_quarters")`
      delete from link_quarter where channel_id = ${channelId}::uuid`);
  await recountTable(session, table, channelId);
}

export const memberCounts: Counter = {
  find: findDifferences,
  async repair(database: Database, channelId) {
    const find = () => database.maintenance("snapshot", (session) => findDifferences(session, channelId));
    const wrong = (await find()).filter(({ isRepairable }) => isRepairable);
    // One transaction for each table, so that the channel's updates do not wait for all of them.
    for (const table of TABLES) {
      for (const { counter, channelId: id } of wrong) {
        if (counter === table.table && id !== null)
          await database.maintenance("write", (session) => repairTable(session, table, id));
      }
    }
    const left = await find();
    if (left.some(({ isRepairable }) => isRepairable))
      throw new Error("Some counters of members still differ after they were recomputed.");
    if (left.length > 0)
      throw new Error(
        "Memberships and member events contradict each other. Counting them anew cannot correct that.",
      );
  },
};

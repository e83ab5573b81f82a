import sql, { type Sql } from "sql-template-tag";
import type { Database } from "../../../database/database.js";
import type { MaintenanceSession } from "../../../database/maintenance.js";
import { statement } from "../../../database/statement.js";
import type { Counter, FoundDifference } from "../../shared/counter.js";

// Compares the counters of links (the migration `counts`) with the links, and repairs them. Triggers keep the counters
// exact. A write past the triggers, such as a restored table or a repair by hand, may leave them wrong.

/** The number of links that get their places in one transaction: the size of a block. */
const BATCH_SIZE = 8192;
/** A repair can uncover further differences, such as the bits of a link that has left a block. */
const MAX_ROUNDS = 5;

const NONE = sql`0::bit(8192)`;
const IN_BLOCK = sql`between 0 and 8191`;

/** The condition that a column equals a channel id; always true for null, which stands for all channels. */
const ofChannel = (column: Sql, channelId: string | null): Sql =>
  channelId === null ? sql`true` : sql`${column} = ${channelId}::uuid`;

/** The links that have a place in a block of their channel. */
const placed = (channelId: string | null): Sql => sql`
  select l.id as link_id, l.channel_id, l.budget, p.block_id, p.place
  from invite_link l join link_place p on p.link_id = l.id
  join link_block b on b.id = p.block_id and b.channel_id = l.channel_id
  where p.place ${IN_BLOCK} and ${ofChannel(sql`l.channel_id`, channelId)}`;

/** Selects the correct rows of a table of bitmaps, from placed links: `block_id`, `key` and `links`. */
type Expected = (placed: Sql) => Sql;

const CARRIED: Expected = (links) => sql`
  select p.block_id, lt.tag_id as key, places(p.place, 1) as links
  from (${links}) p join invite_link_tag lt on lt.link_id = p.link_id group by p.block_id, lt.tag_id`;

const CARRIED_TYPES: Expected = (links) => sql`
  select p.block_id, t.type_id as key, places(p.place, 1) as links
  from (${links}) p join invite_link_tag lt on lt.link_id = p.link_id join tag t on t.id = lt.tag_id
  group by p.block_id, t.type_id`;

const BUDGET_DIGITS: Expected = (links) => sql`
  select p.block_id, digit as key, places(p.place, 1) as links
  from (${links}) p cross join generate_series(0, 46) digit
  where p.budget <> 0 and ((p.budget * 100)::bigint >> digit) & 1 = 1 group by p.block_id, digit`;

/** Selects the rows of a table of bitmaps that differ. A missing row counts as a bitmap without bits. */
const differingBits = (
  expected: Expected,
  { table, key, noun }: { table: Sql; key: Sql; noun: string },
  channelId: string | null,
): Sql => sql`
  select b.channel_id, b.id as block_id,
    ${`${noun} `}::text || coalesce(stored.key, expected.key) || ' in block ' || b.id as example
  from (
    select t.block_id, t.${key} as key, t.links from ${table} t
    join link_block own on own.id = t.block_id and ${ofChannel(sql`own.channel_id`, channelId)}
  ) stored
  full join (${expected(placed(channelId))}) expected
    on expected.block_id = stored.block_id and expected.key = stored.key
  join link_block b on b.id = coalesce(stored.block_id, expected.block_id)
  where coalesce(stored.links, ${NONE}) <> coalesce(expected.links, ${NONE})`;

const TAGS = { table: sql`block_tag`, key: sql`tag_id`, noun: "tag" };
const TYPES = { table: sql`block_type`, key: sql`type_id`, noun: "tag type" };
const BUDGETS = { table: sql`block_budget`, key: sql`digit`, noun: "budget digit" };

interface Check {
  /** The table that is checked. */
  readonly counter: string;
  readonly problem: string;
  /** Selects each wrong row's `channel_id`, `block_id` and `example`, the first two null if there is none. */
  readonly wrong: (channelId: string | null) => Sql;
  readonly repair: "places" | "blocks" | "days";
}

const CHECKS: readonly Check[] = [
  {
    counter: "link_place",
    problem: "links that are not counted",
    wrong: (channelId) => sql`
      select l.channel_id, null::bigint as block_id, l.id::text as example from invite_link l
      left join link_place p on p.link_id = l.id
      where p.link_id is null and ${ofChannel(sql`l.channel_id`, channelId)}`,
    repair: "places",
  },
  {
    counter: "link_place",
    problem: "links that are counted in another channel",
    wrong: (channelId) => sql`
      select l.channel_id, null::bigint as block_id, l.id::text as example from invite_link l
      join link_place p on p.link_id = l.id left join link_block b on b.id = p.block_id
      where b.channel_id is distinct from l.channel_id and ${ofChannel(sql`l.channel_id`, channelId)}`,
    repair: "places",
  },
  {
    counter: "link_place",
    problem: "links that are counted at an unused place",
    wrong: (channelId) => sql`
      select l.channel_id, b.id as block_id, l.id::text as example from invite_link l
      join link_place p on p.link_id = l.id
      join link_block b on b.id = p.block_id and b.channel_id = l.channel_id
      where (p.place not ${IN_BLOCK} or p.place >= b.filled) and ${ofChannel(sql`l.channel_id`, channelId)}`,
    repair: "places",
  },
  {
    counter: "link_place",
    problem: "links that share a place, so that only one of them is counted",
    wrong: (channelId) => sql`
      select channel_id, block_id, min(link_id::text) as example from (${placed(channelId)}) p
      group by channel_id, block_id, place having count(*) > 1`,
    repair: "places",
  },
  {
    counter: "link_place",
    problem: "links that are counted but do not exist",
    wrong: (channelId) => sql`
      select b.channel_id, b.id as block_id, p.link_id::text as example from link_place p
      left join invite_link l on l.id = p.link_id left join link_block b on b.id = p.block_id
      where l.id is null and ${ofChannel(sql`b.channel_id`, channelId)}`,
    repair: "places",
  },
  {
    counter: "link_block",
    problem: "blocks with a wrong set of links",
    wrong: (channelId) => sql`
      select b.channel_id, b.id as block_id, 'block ' || b.id as example from link_block b
      left join (
        select block_id, places(place, 1) as links from (${placed(channelId)}) p group by block_id
      ) expected on expected.block_id = b.id
      where (b.links <> coalesce(expected.links, ${NONE}) or b.filled not between 0 and 8192)
        and ${ofChannel(sql`b.channel_id`, channelId)}`,
    repair: "blocks",
  },
  {
    counter: "block_tag",
    problem: "tags with a wrong set of links",
    wrong: (channelId) => differingBits(CARRIED, TAGS, channelId),
    repair: "blocks",
  },
  {
    counter: "block_type",
    problem: "tag types with a wrong set of links",
    wrong: (channelId) => differingBits(CARRIED_TYPES, TYPES, channelId),
    repair: "blocks",
  },
  {
    counter: "block_budget",
    problem: "binary digits of budgets with a wrong set of links",
    wrong: (channelId) => differingBits(BUDGET_DIGITS, BUDGETS, channelId),
    repair: "blocks",
  },
  {
    counter: "link_day",
    problem: "days with a wrong number of links",
    wrong: (channelId) => sql`
      select coalesce(stored.channel_id, expected.channel_id) as channel_id, null::bigint as block_id,
        coalesce(stored.day, expected.day)::text as example
      from (
        select channel_id, day, sum(links) as links from link_day
        where ${ofChannel(sql`channel_id`, channelId)} group by channel_id, day
      ) stored
      full join (
        select channel_id, utc_day(created_at) as day, count(*) as links from invite_link
        where ${ofChannel(sql`channel_id`, channelId)} group by channel_id, utc_day(created_at)
      ) expected on expected.channel_id = stored.channel_id and expected.day = stored.day
      where coalesce(stored.links, 0) <> coalesce(expected.links, 0)`,
    repair: "days",
  },
];

interface LinkDifference extends FoundDifference {
  readonly repair: Check["repair"];
  readonly blockIds: readonly number[];
}

/** Finds all differences, grouped by channel. */
async function findDifferences(
  { query }: MaintenanceSession,
  channelId: string | null,
): Promise<LinkDifference[]> {
  const found: LinkDifference[] = [];
  for (const { counter, problem, wrong, repair } of CHECKS) {
    const rows = await query<{
      channelId: string | null;
      rows: number;
      example: string;
      blockIds: number[] | null;
    }>(statement("link_counts_find_differences")`
      select channel_id as "channelId", count(*) as rows, min(example) as example,
        json_agg(distinct block_id) filter (where block_id is not null) as "blockIds"
      from (${wrong(channelId)}) wrong group by channel_id order by channel_id`);
    for (const row of rows) found.push({ counter, problem, repair, ...row, blockIds: row.blockIds ?? [] });
  }
  return found;
}

/** Blocks all writers of links and their tags until the transaction ends. Readers are not blocked. */
const stopWriters = ({ query }: MaintenanceSession) =>
  query(statement("link_counts_stop_writers")`
    lock table tag, invite_link, invite_link_tag in share row exclusive mode`);

/** Gives places to some of the channel's links that have no place of their own. @returns how many links. */
async function placeLinks(session: MaintenanceSession, channelId: string): Promise<number> {
  await stopWriters(session);
  // `filled` comes first, so that no place is given out twice.
  await session.query(statement("link_counts_trim_blocks")`
    update link_block b set filled = least(greatest(b.filled, 0, used.places), 8192)
    from (
      select own.id, coalesce(max(p.place) filter (where p.place ${IN_BLOCK}) + 1, 0) as places
      from link_block own left join link_place p on p.block_id = own.id
      where own.channel_id = ${channelId}::uuid group by own.id
    ) used
    where used.id = b.id and b.filled <> least(greatest(b.filled, 0, used.places), 8192)`);
  const [row] = await session.query<{ ids: string[] }>(statement("link_counts_find_unplaced")`
    select coalesce(array_agg(id), '{}') as ids from (
      select l.id from invite_link l
      left join link_place p on p.link_id = l.id left join link_block b on b.id = p.block_id
      where l.channel_id = ${channelId}::uuid and (
        b.channel_id is distinct from l.channel_id or p.place not ${IN_BLOCK}
        or (p.block_id, p.place) in (
          select block_id, place from (${placed(channelId)}) p group by block_id, place having count(*) > 1
        )
      )
      limit ${BATCH_SIZE}
    ) misplaced`);
  const ids = row?.ids ?? [];
  if (ids.length > 0) {
    await session.query(
      statement("link_counts_drop_places")`delete from link_place where link_id = any(${ids}::uuid[])`,
    );
    await session.query(
      statement("link_counts_enter_links")`select enter_links(${channelId}::uuid, ${ids}::uuid[])`,
    );
  }
  return ids.length;
}

/** Removes the places of links that do not exist. @param channelId null for the places whose block does not exist either. */
async function removeStrayPlaces(session: MaintenanceSession, channelId: string | null): Promise<void> {
  await stopWriters(session);
  await session.query(statement("link_counts_drop_stray_places")`
    delete from link_place where link_id in (
      select p.link_id from link_place p
      left join invite_link l on l.id = p.link_id left join link_block b on b.id = p.block_id
      where l.id is null and b.channel_id is not distinct from ${channelId}::uuid)`);
}

/** Computes all bitmaps of a block. */
async function recomputeBlock(session: MaintenanceSession, blockId: number): Promise<void> {
  await stopWriters(session);
  const links = sql`
    select l.id as link_id, l.budget, p.block_id, p.place
    from link_place p join invite_link l on l.id = p.link_id
    join link_block b on b.id = p.block_id and b.channel_id = l.channel_id
    where p.block_id = ${blockId}::bigint and p.place ${IN_BLOCK}`;
  await session.query(statement("link_counts_recompute_block")`
    update link_block b set links = coalesce(expected.links, ${NONE}),
      filled = least(greatest(b.filled, 0, expected.filled), 8192)
    from (select places(place, 1) as links, coalesce(max(place) + 1, 0) as filled from (${links}) p) expected
    where b.id = ${blockId}::bigint`);
  for (const [expected, { table, key }] of [
    [CARRIED, TAGS],
    [CARRIED_TYPES, TYPES],
    [BUDGET_DIGITS, BUDGETS],
  ] as const) {
    await session.query(
      statement("link_counts_clear_block")`delete from ${table} where block_id = ${blockId}::bigint`,
    );
    await session.query(statement("link_counts_fill_block")`
      insert into ${table} (block_id, ${key}, links) select block_id, key, links from (${expected(links)}) expected`);
  }
}

async function recountDays(session: MaintenanceSession, channelId: string): Promise<void> {
  await stopWriters(session);
  await session.query(
    statement("link_counts_clear_days")`delete from link_day where channel_id = ${channelId}::uuid`,
  );
  await session.query(statement("link_counts_fill_days")`
    insert into link_day (channel_id, day, links)
    select channel_id, utc_day(created_at), count(*) from invite_link where channel_id = ${channelId}::uuid
    group by channel_id, utc_day(created_at) order by 2`);
}

/** Repairs differences block by block, so that writers wait for one short transaction at a time. */
async function repair(database: Database, found: readonly LinkDifference[]): Promise<void> {
  const needs = (wanted: Check["repair"]) => found.filter((difference) => difference.repair === wanted);
  const channelsOf = (differences: readonly LinkDifference[]) =>
    new Set(differences.map(({ channelId }) => channelId));
  for (const channelId of channelsOf(needs("places"))) {
    await database.maintenance("write", (session) => removeStrayPlaces(session, channelId));
    if (channelId === null) continue;
    while ((await database.maintenance("write", (session) => placeLinks(session, channelId))) > 0);
  }
  for (const blockId of new Set(needs("blocks").flatMap(({ blockIds }) => blockIds))) {
    await database.maintenance("write", (session) => recomputeBlock(session, blockId));
  }
  for (const channelId of channelsOf(needs("days"))) {
    if (channelId !== null) await database.maintenance("write", (session) => recountDays(session, channelId));
  }
}

export const linkCounts: Counter = {
  find: findDifferences,
  async repair(database, channelId) {
    for (let round = 0; round <= MAX_ROUNDS; round += 1) {
      const found = await database.maintenance("snapshot", (session) => findDifferences(session, channelId));
      if (found.length === 0) return;
      if (round === MAX_ROUNDS) break;
      await repair(database, found);
    }
    throw new Error("Some counters of links still differ after they were recomputed.");
  },
};

import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createDatabase, type Database } from "../../src/database/database.js";
import type { Reader } from "../../src/database/fairShare.js";
import { type DatabasePool, serverPool } from "../../src/database/pools.js";
import { fastPaths } from "../../src/fastPaths.js";
import { describeOnForms, type PreparedDatabase, prepareTestDatabase } from "../support/databases.js";
import { testStatement } from "../support/statement.js";

const KEY = 42;
/** Statements of this kind end only after `release`. */
const HELD = testStatement`select pg_advisory_lock_shared(${KEY}::bigint)::text, pg_advisory_unlock_shared(${KEY}::bigint), 1 as done`;
/**
 * Ten sessions for requests. Four of them are pipelined, two for each kind of frequent statement, which leaves six in the
 * pool; without pipelined sessions the pool has all ten. Costly reads may have half of the pool, one reader half of that.
 */
const { PIPELINED, OF_ALL, OF_ONE } = fastPaths.pipelinedSessions
  ? { PIPELINED: 2, OF_ALL: 3, OF_ONE: 2 }
  : { PIPELINED: 0, OF_ALL: 5, OF_ONE: 3 };
const POLL = { timeout: 60_000, interval: 20 };

const raise = (error: Error): never => {
  throw error;
};
const readerOf = (key: string, client: Reader["client"] = null): Reader => ({
  key,
  client,
  refusal: () => new Error("refused"),
});

await describeOnForms("a reader's database", ["server"], (form) => {
  let prepared: PreparedDatabase;
  let holder: pg.Client;
  let opened: Database | undefined;

  beforeEach(async () => {
    prepared = await prepareTestDatabase(form);
    holder = new pg.Client(prepared.url as string);
    await holder.connect();
    await holder.query("select pg_advisory_lock($1)", [KEY]);
  });
  afterEach(async () => {
    await holder.end();
    await opened?.close();
    await prepared.remove();
  });

  const open = (pool: DatabasePool): Database => {
    opened = createDatabase(pool);
    return opened;
  };
  /** @param sessions for requests, including pipelined ones. */
  const poolOf = (sessions: number): DatabasePool => serverPool(prepared.url as string, raise, { sessions });
  const release = () => holder.query("select pg_advisory_unlock($1)", [KEY]);
  const ONE = [{ one: 1 }];
  const one = testStatement`select 1 as one`;
  /** The number of sessions in which a HELD statement runs. */
  const runningHeld = async () => {
    const { rows } = await holder.query<{ count: number }>(
      `select count(*)::int as count from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock' and wait_event = 'advisory'`,
    );
    return rows[0]?.count;
  };
  /** The number of pipelined sessions that have answered `one`. An open session may still be waiting for its settings. */
  const pipelined = async () => {
    const { rows } = await holder.query<{ count: number }>(
      `select count(*)::int as count from pg_stat_activity
       where datname = current_database() and application_name = 'invite-links pipeline' and query = $1`,
      [one.text],
    );
    return rows[0]?.count;
  };
  /** Runs HELD many times at once. On a busy machine some may wait so long that they are refused. */
  const all = async (database: Database, count: number, use?: "frequent") => {
    const asked = Array.from({ length: count }, () =>
      database.query<{ done: number }>(HELD, use).then(
        ([row]) => row?.done,
        (error: Error) => error.message,
      ),
    );
    const answers = await Promise.all(asked);
    expect(answers.filter((answer) => answer !== "refused")).toEqual(
      Array(answers.filter((answer) => answer !== "refused").length).fill(1),
    );
    return answers;
  };
  test("occupies only its share, and leaves sessions to other readers, writes and quick reads", async () => {
    const database = open(serverPool(prepared.url as string, raise));
    const [greedy, modest] = [database.forReader(readerOf("greedy")), database.forReader(readerOf("modest"))];
    const costly = all(greedy, 40);
    await expect.poll(runningHeld, POLL).toBe(OF_ONE);
    expect(await modest.query(one)).toEqual(ONE);
    expect(await greedy.query(one, "frequent and quick")).toEqual(ONE);
    expect(await database.transaction(({ query }) => query(one))).toEqual(ONE);
    expect(await runningHeld()).toBe(OF_ONE);
    await release();
    expect((await costly).slice(0, 2)).toEqual([1, 1]);
  });

  test("occupies only its share of the pool when frequent statements turn out to be slow", async () => {
    const database = open(serverPool(prepared.url as string, raise));
    const [greedy, modest] = [database.forReader(readerOf("greedy")), database.forReader(readerOf("modest"))];
    // The pipelined sessions are opened one by one while the pool has an idle session.
    await expect
      .poll(async () => {
        await modest.query(one);
        await Promise.all([modest.query(one, "frequent"), modest.query(one, "frequent")]);
        return pipelined();
      }, POLL)
      .toBe(PIPELINED);
    const costly = [all(greedy, 20, "frequent"), all(greedy, 20)];
    // One statement in each pipelined session for frequent statements, and the reader's share of the pool.
    await expect.poll(runningHeld, POLL).toBe(PIPELINED + OF_ONE);
    expect(await modest.query(one, "frequent")).toEqual(ONE);
    expect(await modest.query(one)).toEqual(ONE);
    expect(await database.transaction(({ query }) => query(one))).toEqual(ONE);
    expect(await runningHeld()).toBe(PIPELINED + OF_ONE);
    await release();
    expect((await Promise.all(costly)).flat()).toHaveLength(40);
  });

  test("leaves sessions for writes while many readers run costly reads", async () => {
    const database = open(serverPool(prepared.url as string, raise));
    const costly = Array.from({ length: 8 }, (_, index) => all(database.forReader(readerOf(`${index}`)), 5));
    await expect.poll(runningHeld, POLL).toBe(OF_ALL);
    expect(await database.transaction(({ query }) => query(one))).toEqual(ONE);
    await release();
    expect((await Promise.all(costly)).flat()).toHaveLength(40);
  });

  test("does not run the waiting reads of a client that has left", async () => {
    const database = open(poolOf(5));
    const client = { hasLeft: false };
    const greedy = database.forReader(readerOf("greedy", client));
    const costly = Promise.allSettled(Array.from({ length: 5 }, () => greedy.query(HELD)));
    await expect.poll(runningHeld, POLL).toBe(1);
    client.hasLeft = true;
    await release();
    expect((await costly).map(({ status }) => status)).toEqual(["fulfilled", ...Array(4).fill("rejected")]);
  });

  test.each([1, 2, 3])("gives right results with %i sessions for requests", async (sessions) => {
    await release();
    const database = open(poolOf(sessions));
    const numbers = (to: number) => ({
      count: testStatement`select count(*) as count from generate_series(1, ${to}::int)`,
      rows: testStatement`select n from generate_series(1, ${to}::int) n`,
    });
    const readers = ["a", "b", "c"].map((key) => database.forReader(readerOf(key)));
    const begun = await readers[0]?.read<{ n: number }>(numbers(5), 2);
    expect(begun?.head.count).toBe(5);
    const rows: number[] = [];
    const work = [
      ...readers.flatMap((reader) => [all(reader, 5), all(reader, 5, "frequent")]),
      ...Array.from({ length: 10 }, () =>
        database.transaction(async ({ query }) => [await query(one), await query(one)]),
      ),
    ];
    for (let bit = await begun?.rows.next(); bit && bit.length > 0; bit = await begun?.rows.next())
      rows.push(...bit.map(({ n }) => n));
    await begun?.rows.close();
    expect(rows).toEqual([1, 2, 3, 4, 5]);
    const answers = await Promise.all<unknown>(work);
    expect(answers.map((answer) => (answer as unknown[]).length)).toEqual([
      ...Array(6).fill(5),
      ...Array(10).fill(2),
    ]);
  });
});

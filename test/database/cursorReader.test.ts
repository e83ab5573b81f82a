import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { CursorReader } from "../../src/database/cursorReader.js";
import {
  ALL_FORMS,
  describeOnForms,
  openPool,
  type PreparedDatabase,
  prepareTestDatabase,
} from "../support/databases.js";
import { testStatement } from "../support/statement.js";

const numbers = (to: number) => ({
  count: testStatement`select count(*) as count from generate_series(1, ${to}::int)`,
  rows: testStatement`select n from generate_series(1, ${to}::int) n`,
});

await describeOnForms("a cursor reader", ALL_FORMS, (form) => {
  let prepared: PreparedDatabase;
  let pool: Awaited<ReturnType<typeof openPool>>;
  beforeAll(async () => {
    prepared = await prepareTestDatabase(form, false);
    pool = await openPool(prepared);
  });
  afterAll(async () => {
    await pool.close();
    await prepared.remove();
  });
  const readerOf = (timeLimitMs?: number) =>
    new CursorReader(
      pool,
      async (session, { text, values }) => (await session.query({ text, values })).rows,
      timeLimitMs,
    );
  const begin = async (from: CursorReader, reader?: string, to = 5) => {
    const begun = await from.begin<{ n: number }>(numbers(to), 2, reader);
    if (begun === null) throw new Error("Too many are being read.");
    return begun;
  };
  /** The number of sessions of the pool in use. */
  const occupied = () => pool.pool.totalCount - pool.pool.idleCount;

  test("gives a list in portions and then an empty one", async () => {
    const {
      head: { count },
      rows,
    } = await begin(readerOf());
    const bits = [await rows.next(), await rows.next(), await rows.next(), await rows.next()];
    expect([count, bits.map((bit) => bit.map(({ n }) => n))]).toEqual([5, [[1, 2], [3, 4], [5], []]]);
    await rows.close();
    expect(occupied()).toBe(0);
  });

  test("can be closed repeatedly while a portion is being fetched", async () => {
    const { rows } = await begin(readerOf());
    const bit = rows.next();
    await Promise.all([rows.close(), rows.close()]);
    expect(await bit).toHaveLength(2);
    await expect(rows.next()).rejects.toThrow("closed");
    expect(occupied()).toBe(0);
  });

  test("opens at most four lists, two of one reader, and frees its session after a failed statement", async () => {
    const some = readerOf();
    const broken = { ...numbers(1), rows: testStatement`select 1 / 0 as n from generate_series(1, 3)` };
    for (let time = 0; time < 5; time += 1) {
      const outcome = some
        .begin(broken, 2)
        .then((begun) => begun?.rows.next().finally(() => begun.rows.close()));
      await expect(outcome).rejects.toThrow("division by zero");
    }
    await expect(some.begin({ ...numbers(1), count: testStatement`select nothing` }, 2)).rejects.toThrow(
      "nothing",
    );
    expect(occupied()).toBe(0);
    const two = await Promise.all([begin(some, "one"), begin(some, "one")]);
    expect(await some.begin(numbers(1), 2, "one")).toBeNull();
    const four = [...two, ...(await Promise.all([begin(some, "other"), begin(some, "other")]))];
    expect(await some.begin(numbers(1), 2, "third")).toBeNull();
    await four[0]?.rows.close();
    const fifth = await begin(some, "third");
    for (const { rows } of [...four, fifth]) await rows.close();
    expect(occupied()).toBe(0);
  });

  test("makes room for a further list before it tells that a list has ended", async () => {
    const some = readerOf();
    for (let time = 0; time < 5; time += 1) {
      const { rows } = await begin(some);
      while ((await rows.next()).length > 0);
    }
    expect(occupied()).toBe(0);
  });

  test("closes a list after its time limit", async () => {
    const { rows } = await begin(readerOf(100));
    await vi.waitFor(() => expect(rows.next()).rejects.toThrow("closed"), { timeout: 60_000 });
    await rows.close();
    expect(occupied()).toBe(0);
  });
});

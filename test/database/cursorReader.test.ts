import sql from "sql-template-tag";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { CursorReader } from "../../src/database/cursorReader.js";
import {
  ALL_FORMS,
  describeOnForms,
  openPool,
  type PreparedDatabase,
  prepareTestDatabase,
} from "../support/databases.js";

const numbers = (to: number) => ({
  count: sql`select count(*) as count from generate_series(1, ${to}::int)`,
  rows: sql`select n from generate_series(1, ${to}::int) n`,
});

await describeOnForms("readings", ALL_FORMS, (form) => {
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
  const readings = (longestMs?: number) =>
    new CursorReader(
      pool,
      async (session, { text, values }) => (await session.query({ text, values })).rows,
      longestMs,
    );
  const begin = async (from: CursorReader, reader?: string, to = 5) => {
    const begun = await from.begin<{ n: number }>(numbers(to), 2, reader);
    if (begun === null) throw new Error("Too many are being read.");
    return begun;
  };
  /** Sessions that somebody has. */
  const lent = () => pool.pool.totalCount - pool.pool.idleCount;

  test("give the rows bit by bit, and then none", async () => {
    const { count, reading } = await begin(readings());
    const bits = [await reading.next(), await reading.next(), await reading.next(), await reading.next()];
    expect([count, bits.map((bit) => bit.map(({ n }) => n))]).toEqual([5, [[1, 2], [3, 4], [5], []]]);
    await reading.close();
    expect(lent()).toBe(0);
  });

  test("end once, at any time, after the statement that is under way", async () => {
    const { reading } = await begin(readings());
    const bit = reading.next();
    await Promise.all([reading.close(), reading.close()]);
    expect(await bit).toHaveLength(2);
    await expect(reading.next()).rejects.toThrow("ended");
    expect(lent()).toBe(0);
  });

  test("are no more than four, two of one reader, and leave no session behind where a statement fails", async () => {
    const some = readings();
    const broken = { ...numbers(1), rows: sql`select 1 / 0 as n from generate_series(1, 3)` };
    for (let time = 0; time < 5; time += 1) {
      const outcome = some
        .begin(broken, 2)
        .then((begun) => begun?.reading.next().finally(() => begun.reading.close()));
      await expect(outcome).rejects.toThrow("division by zero");
    }
    await expect(some.begin({ ...numbers(1), count: sql`select nothing` }, 2)).rejects.toThrow("nothing");
    expect(lent()).toBe(0);
    const two = await Promise.all([begin(some, "one"), begin(some, "one")]);
    expect(await some.begin(numbers(1), 2, "one")).toBeNull();
    const four = [...two, ...(await Promise.all([begin(some, "other"), begin(some, "other")]))];
    expect(await some.begin(numbers(1), 2, "third")).toBeNull();
    await four[0]?.reading.close();
    const fifth = await begin(some, "third");
    for (const { reading } of [...four, fifth]) await reading.close();
    expect(lent()).toBe(0);
  });

  test("end by themselves when they have lasted too long", async () => {
    const { reading } = await begin(readings(100));
    await vi.waitFor(() => expect(reading.next()).rejects.toThrow("ended"), { timeout: 20_000 });
    await reading.close();
    expect(lent()).toBe(0);
  });
});

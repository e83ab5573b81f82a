import { afterAll, beforeAll, expect, test } from "vitest";
import type { Database } from "../../src/database/database.js";
import { ALL_FORMS, describeOnForms, openTestDatabase, type TestDatabase } from "../support/databases.js";
import { testStatement } from "../support/statement.js";

await describeOnForms("a snapshot", ALL_FORMS, (form) => {
  let opened: TestDatabase;
  let database: Database;
  beforeAll(async () => {
    opened = await openTestDatabase(form);
    database = opened.database;
    await opened.pool.query("create table number as select generate_series(1, 10) as n");
  });
  afterAll(() => opened.close());

  const numbers = testStatement`select n from number where n > ${0}::int order by n`;

  test("is read in portions on demand", async () => {
    const portions = await database.snapshot(async (snapshot) => {
      const read: number[][] = [];
      for await (const rows of snapshot.portions<{ n: number }>(numbers, 4))
        read.push(rows.map(({ n }) => n));
      return read;
    });
    expect(portions).toEqual([
      [1, 2, 3, 4],
      [5, 6, 7, 8],
      [9, 10],
    ]);
  });

  test("releases its session even if its reader fails", async () => {
    await expect(
      database.snapshot(async (snapshot) => {
        for await (const _ of snapshot.portions(numbers, 4)) throw new Error("enough");
      }),
    ).rejects.toThrow("enough");
    await expect(
      database.snapshot((snapshot) => snapshot.query(testStatement`select nothing`)),
    ).rejects.toThrow();
    expect(opened.pool.totalCount).toBe(opened.pool.idleCount);
    expect(await database.query(numbers)).toHaveLength(10);
  });

  test.runIf(form === "server")("does not show concurrent writes", async () => {
    await database.snapshot(async (snapshot) => {
      const before = await snapshot.query(numbers);
      await opened.pool.query("insert into number values (11)");
      expect(await snapshot.query(numbers)).toEqual(before);
    });
    await opened.pool.query("delete from number where n = 11");
  });
});

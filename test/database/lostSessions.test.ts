import { afterAll, beforeAll, expect, it } from "vitest";
import type { Database } from "../../src/database/database.js";
import { failureOf } from "../../src/database/failures.js";
import { describeOnForms, openTestDatabase, type TestDatabase } from "../support/databases.js";
import { testStatement } from "../support/statement.js";

/** Work that occupies a session of the pool, and a further read in that session. */
const WORK: Readonly<Record<string, (database: Database, lose: () => Promise<unknown>) => Promise<unknown>>> =
  {
    async "a long list is read in"(database, lose) {
      const begun = await database.read(
        { count: testStatement`select 1 as count`, rows: testStatement`select 1` },
        1,
      );
      await lose();
      try {
        return await begun?.rows.next();
      } finally {
        await begun?.rows.close().catch(() => {});
      }
    },
    "a snapshot is read in": (database, lose) =>
      database.snapshot(async ({ query }) => {
        await lose();
        return query(testStatement`select 1`);
      }),
    "an operator's work is done in": (database, lose) =>
      database.maintenance("snapshot", async ({ query }) => {
        await lose();
        return query(testStatement`select 1`);
      }),
    "a transaction has": (database, lose) =>
      database.transaction(async ({ query }) => {
        await query(testStatement`select 1`);
        await lose();
        return query(testStatement`select 1`);
      }),
  };

await describeOnForms("a session that PostgreSQL ends", ["server"], () => {
  let test: TestDatabase;

  beforeAll(async () => {
    test = await openTestDatabase("server");
  });
  afterAll(() => test?.close());

  // An error event without a listener fails the whole run of Vitest, just as it would end a server.
  it.each(Object.keys(WORK))("while %s fails only that work", async (title) => {
    const lose = () =>
      test.pool.query(
        `select pg_terminate_backend(pid, 5000) from pg_stat_activity
        where datname = current_database() and application_name = 'invite-links' and pid <> pg_backend_pid()`,
      );
    const error = await WORK[title]?.(test.database, lose).catch((thrown: unknown) => thrown);
    expect(failureOf(error).kind).toBe("unreachable");
    expect(await test.database.query(testStatement`select 1 as one`)).toEqual([{ one: 1 }]);
  });
});

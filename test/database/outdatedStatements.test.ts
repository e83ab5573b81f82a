import { afterEach, beforeEach, expect, it } from "vitest";
import type { Database } from "../../src/database/database.js";
import { ALL_FORMS, describeOnForms, openTestDatabase, type TestDatabase } from "../support/databases.js";
import { testStatement } from "../support/statement.js";

const TYPES = testStatement`select * from tag_type`;
/** More than the sessions of a pool, so that every session prepares the statement. */
const READERS = 30;

/** Each way in which statements are prepared. */
const WAYS: Readonly<Record<string, (database: Database) => Promise<object[]>>> = {
  "a frequent statement": (database) => database.query<object>(TYPES, "frequent"),
  "a quick statement": (database) => database.query<object>(TYPES, "frequent and quick"),
  "a direct transaction": (database) => database.directTransaction((unit) => unit.query<object>(TYPES)),
};

/** The last column of the rows, read in many sessions. */
const readOften = async (database: Database, way: (database: Database) => Promise<object[]>) => {
  const results = await Promise.all(Array.from({ length: READERS }, () => way(database)));
  return new Set(results.flat().map((row) => Object.keys(row).at(-1)));
};

await describeOnForms("prepared statements", ALL_FORMS, (form) => {
  let test: TestDatabase;
  beforeEach(async () => {
    test = await openTestDatabase(form);
    await test.pool.query(
      "insert into tag_type (id, name, name_key, created_at) values (gen_random_uuid(), 'A', 'a', now())",
    );
  });
  afterEach(() => test.close());

  it.each(Object.entries(WAYS))(
    "survive a migration that changes what they return: %s",
    async (_way, read) => {
      const { database, pool } = test;
      expect(await readOften(database, read)).toEqual(new Set(["updated_at"]));
      await pool.query("alter table tag_type add column note text");
      expect(await readOften(database, read)).toEqual(new Set(["note"]));
      await pool.query('alter table tag_type alter column note type text collate "C"');
      expect(await readOften(database, read)).toEqual(new Set(["note"]));
    },
  );
});

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openDatabase } from "../../src/database/open.js";
import { analyzeGrownTables } from "../../src/database/tableStatistics.js";
import { type PreparedDatabase, prepareTestDatabase } from "../support/databases.js";

describe("the statistics of an embedded database's tables", () => {
  let prepared: PreparedDatabase;
  let close = async (): Promise<void> => {};

  const open = async () => {
    const { pool } = await openDatabase({ url: null, folder: prepared.dataDir ?? "" }, (error) => {
      throw error;
    });
    close = () => pool.close();
    return pool.pool;
  };

  beforeEach(async () => {
    prepared = await prepareTestDatabase("embedded");
  });
  afterEach(async () => {
    vi.useRealTimers();
    await close();
    await prepared.remove();
  });

  const grow = (rows: number) => `insert into "Odd ""name" select g from generate_series(1, ${rows}) g`;
  const ROWS = `select reltuples::int as rows from pg_class where relname = 'Odd "name'`;

  it("are gathered when the database is opened", async () => {
    let pool = await open();
    await pool.query(`create table "Odd ""name" (id int)`);
    await pool.query(grow(10_000));
    await close();
    pool = await open();
    expect((await pool.query(ROWS)).rows).toEqual([{ rows: 10_000 }]);
    const { rows } = await pool.query(`select attname from pg_stats where tablename = 'Odd "name'`);
    expect(rows).toEqual([{ attname: "id" }]);
  });

  it("are gathered every minute of the tables that have at least doubled", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const pool = await open();
    await pool.query(`create table "Odd ""name" (id int)`);
    await pool.query(grow(10_000));
    vi.advanceTimersByTime(60_000);
    await expect.poll(async () => (await pool.query(ROWS)).rows).toEqual([{ rows: 10_000 }]);
    await pool.query(grow(5000));
    expect(await analyzeGrownTables(pool)).toEqual([]);
    await pool.query(grow(8000));
    expect(await analyzeGrownTables(pool)).toEqual([`"Odd ""name"`]);
    expect(await analyzeGrownTables(pool)).toEqual([]);
    const { rows } = await pool.query("show default_statistics_target");
    expect(rows).toEqual([{ default_statistics_target: "100" }]);
  });
});

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { PGlite } from "@electric-sql/pglite";
import pg from "pg";
import { PrismaPGlite } from "pglite-prisma-adapter";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, test, vi } from "vitest";
import type { OnWait } from "../../src/database/migrations.js";
import type { DatabasePool } from "../../src/database/pools.js";
import {
  ALL_FORMS,
  describeOnForms,
  openPool,
  openTestDatabase,
  type PreparedDatabase,
  prepareTestDatabase,
  type TestDatabase,
} from "../support/databases.js";

/** Replaces and adds files of prisma/ in tests that alter them. */
const files = vi.hoisted(() => ({
  alter: (_path: string, text: string): string => text,
  list: (entries: unknown[]): unknown[] => entries,
  read: (_path: string): string | undefined => undefined,
}));

vi.mock("node:fs/promises", async (importOriginal) => {
  const original = await importOriginal<typeof import("node:fs/promises")>();
  return {
    ...original,
    readdir: async (path: unknown, options: unknown) =>
      files.list(await original.readdir(path as string, options as { withFileTypes: true })),
    readFile: async (path: unknown, options: unknown) => {
      const added = files.read(String(path));
      if (added !== undefined) return added;
      const content = await original.readFile(path as string, options as BufferEncoding);
      return typeof content === "string" ? files.alter(String(path), content) : content;
    },
  };
});

/** How long a test waits for a session to wait for a lock. */
const PATIENCE = { timeout: 60_000 };

const { applyMigrations, migrationDrift } = await import("../../src/database/migrations.js");

const MIGRATIONS = new URL("../../prisma/migrations/", import.meta.url);
const names = readdirSync(MIGRATIONS)
  .filter((name) => /^\d{14}_/.test(name))
  .sort();
const checksum = (name: string) =>
  createHash("sha256")
    .update(readFileSync(new URL(`${name}/migration.sql`, MIGRATIONS)))
    .digest("hex");

afterEach(() => {
  files.alter = (_path, text) => text;
  files.list = (entries) => entries;
  files.read = () => undefined;
});

describe("schema.prisma and the migrations", () => {
  let database: PGlite;
  let adapter: PrismaPGlite;

  beforeAll(async () => {
    database = await PGlite.create();
    /** The adapter itself does not wait for a script, and creating a database for each comparison takes long. */
    adapter = new (class extends PrismaPGlite {
      override async connectToShadowDb() {
        await database.exec("drop schema public cascade; create schema public");
        const connection = await this.connect();
        connection.executeScript = async (script) => {
          await database.exec(script);
        };
        return connection;
      }
    })(database);
  });
  afterAll(() => database.close());

  it("agree", async () => {
    expect(await migrationDrift(adapter)).toBe("");
  });

  it.each<[string, string, (text: string) => string, RegExp]>([
    [
      "a column more in the schema",
      "schema.prisma",
      (text) => text.replace("  title     String\n", "  title     String\n  subtitle String?\n"),
      /ADD COLUMN\s+"subtitle" TEXT/,
    ],
    [
      "an index less in the schema",
      "schema.prisma",
      (text) => text.replace("  @@index([channelId, budget, id])\n", ""),
      /DROP INDEX "invite_link_channel_id_budget_id_idx"/,
    ],
    [
      "a column more in the migrations",
      "migration.sql",
      (text) => `${text}\nALTER TABLE "tag" ADD COLUMN IF NOT EXISTS "extra" TEXT;`,
      /DROP COLUMN "extra"/,
    ],
    [
      "another type in the migrations",
      "migration.sql",
      (text) => text.replace("DECIMAL(14,2)", "DECIMAL(12,2)"),
      /"budget" SET DATA TYPE DECIMAL\(14,2\)/,
    ],
  ])("do not agree with %s", async (_title, file, change, drift) => {
    let altered = false;
    files.alter = (path, text) => {
      if (!path.endsWith(file)) return text;
      altered ||= change(text) !== text;
      return change(text);
    };
    expect(await migrationDrift(adapter)).toMatch(drift);
    expect(altered).toBe(true);
  });
});

await describeOnForms("applyMigrations", ALL_FORMS, (form) => {
  let prepared: PreparedDatabase;
  let opened: DatabasePool;

  beforeAll(async () => {
    prepared = await prepareTestDatabase(form, false);
    opened = await openPool(prepared);
  });
  afterAll(async () => {
    await opened?.close();
    await prepared?.remove();
  });

  it("applies all migrations, leaves no timer behind and fills Prisma's table", async () => {
    const timers = vi.spyOn(globalThis, "setTimeout");
    try {
      expect(await applyMigrations(opened.pool)).toEqual(names);
      const long = timers.mock.calls.flatMap(([, delay], index) =>
        (delay ?? 0) >= 5_000 ? [timers.mock.results[index]?.value as NodeJS.Timeout] : [],
      );
      // pg's timer for idle sessions ends with the pool. Any other timer would keep a finished process alive.
      await opened.close();
      const running = long.filter((timer) => timer.hasRef() && Reflect.get(timer, "_destroyed") !== true);
      expect(running.length).toBe(0);
    } finally {
      timers.mockRestore();
      opened = await openPool(prepared);
    }
    const { rows } = await opened.pool.query("select * from _prisma_migrations order by migration_name");
    expect(rows).toEqual(
      names.map((name) => ({
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        checksum: checksum(name),
        migration_name: name,
        started_at: expect.any(String),
        finished_at: expect.any(String),
        logs: null,
        rolled_back_at: null,
        applied_steps_count: 1,
      })),
    );
  });

  it("loads no engine when nothing is pending", async () => {
    vi.resetModules();
    const fresh = await import("../../src/database/migrations.js");
    const instantiate = vi.spyOn(WebAssembly, "instantiate").mockRejectedValue(new Error("loaded"));
    try {
      expect(await fresh.applyMigrations(opened.pool)).toEqual([]);
      // Cross-check: a migration that is not finished does load the engine.
      await opened.pool.query("update _prisma_migrations set finished_at = null");
      await expect(fresh.applyMigrations(opened.pool)).rejects.toThrow("loaded");
      await opened.pool.query("update _prisma_migrations set finished_at = started_at");
    } finally {
      instantiate.mockRestore();
    }
  });

  it("creates name keys that compare by code point", async () => {
    const { rows } = await opened.pool.query(`
      select table_name, collation_name from information_schema.columns
      where column_name = 'name_key' order by table_name`);
    expect(rows).toEqual(
      ["invite_link", "tag", "tag_type"].map((table_name) => ({ table_name, collation_name: "C" })),
    );
  });
});

/** Migrations after today's, which exist while a test runs. */
function addMigrations(added: Readonly<Record<string, string>>): void {
  files.list = (entries) => [
    ...entries,
    ...Object.keys(added).map((name) => ({ name, isDirectory: () => true })),
  ];
  files.read = (path) => Object.entries(added).find(([name]) => path.includes(name))?.[1];
}

await describeOnForms("a migration beside running servers", ["server"], (form) => {
  let test: TestDatabase;
  let other: pg.Client;
  beforeEach(async () => {
    test = await openTestDatabase(form);
    other = await connect();
  });
  afterEach(async () => {
    await other.end();
    await test.close();
  });

  const connect = async () => {
    const client = new pg.Client(test.url as string);
    client.on("error", () => {});
    await client.connect();
    return client;
  };
  /** Applies the migrations in a session that ends afterwards. */
  const apply = async (onWait: OnWait = () => {}) => {
    const pool = new pg.Pool({ connectionString: test.url as string, max: 1 });
    pool.on("error", () => {}).on("connect", (client) => client.on("error", () => {}));
    try {
      return await applyMigrations(pool, { onWait });
    } finally {
      await pool.end();
    }
  };
  const entriesOf = async (name: string) => {
    const { rows } = await test.pool.query(
      `select finished_at is not null as "isFinished", rolled_back_at is not null as "isRolledBack"
       from _prisma_migrations where migration_name = $1 order by started_at`,
      [name],
    );
    return rows;
  };
  const FINISHED = { isFinished: true, isRolledBack: false };
  const ROLLED_BACK = { isFinished: false, isRolledBack: true };
  /** Ends the session of the engine when it writes the entry of a migration, which it does after the migration. */
  const applyAndDieBeforeTheEntry = async () => {
    await test.pool.query(`
      create function die() returns trigger language plpgsql as $$
      begin perform pg_terminate_backend(pg_backend_pid()); return new; end $$;
      create trigger die before update of applied_steps_count on _prisma_migrations
      for each row execute function die()`);
    await expect(apply()).rejects.toThrow();
    await test.pool.query("drop function die cascade");
  };

  it("lets statements go first while it waits for a long transaction, and says for which", async () => {
    const name = "20990101000000_note";
    addMigrations({ [name]: 'ALTER TABLE "tag" ADD COLUMN "note" TEXT;' });
    await other.query("set application_name = 'a long export'; begin; select from tag");
    let told = (_message: string) => {};
    const message = new Promise<string>((resolve) => {
      told = resolve;
    });
    const applied = apply(told);
    expect(await message).toMatch(/^A migration waits .* a long export \(process \d+, \d+ s\)/);
    // Without the time limit these would wait behind the migration, and fail.
    for (let count = 0; count < 20; count += 1) await test.pool.query("select from tag");
    await other.query("commit");
    expect(await applied).toEqual([name]);
    expect(await entriesOf(name)).toEqual([FINISHED]);
  });

  it("is applied again after it failed", async () => {
    const name = "20990101000000_note";
    addMigrations({ [name]: 'CREATE TABLE "half" (id INT);\nALTER TABLE "missing" ADD COLUMN "note" TEXT;' });
    await expect(apply()).rejects.toThrow(`The migration ${name} failed: relation "missing" does not exist`);
    addMigrations({ [name]: 'CREATE TABLE "half" (id INT);' });
    expect(await apply()).toEqual([name]);
    expect(await entriesOf(name)).toEqual([ROLLED_BACK, FINISHED]);
  });

  it("is applied again after its session was ended in the middle", async () => {
    const name = "20990101000000_note";
    addMigrations({ [name]: 'CREATE TABLE "half" (id INT);\nSELECT pg_advisory_xact_lock(1);' });
    await other.query("select pg_advisory_lock(1)");
    const failed = expect(apply()).rejects.toThrow();
    const isWaiting = `select pid from pg_locks where locktype = 'advisory' and objid = 1 and not granted
      and database = (select oid from pg_database where datname = current_database())`;
    const pid = await vi.waitUntil(async () => (await test.pool.query(isWaiting)).rows[0]?.pid, PATIENCE);
    await test.pool.query("select pg_terminate_backend($1)", [pid]);
    await failed;
    await other.query("select pg_advisory_unlock(1)");
    expect(await apply()).toEqual([name]);
    expect(await entriesOf(name)).toEqual([ROLLED_BACK, FINISHED]);
  });

  it("is finished although the server died before it could say so", async () => {
    const name = "20990101000000_note";
    addMigrations({ [name]: 'CREATE TABLE "note" (id INT);' });
    await applyAndDieBeforeTheEntry();
    expect(await apply()).toEqual([]);
    expect(await entriesOf(name)).toEqual([FINISHED]);
  });

  it("is waited for by other servers, however long it takes", async () => {
    addMigrations({ "20990101000000_note": 'CREATE TABLE "note" (id INT);' });
    await other.query("select pg_advisory_lock(72707369)");
    let told = (_message: string) => {};
    const message = new Promise<string>((resolve) => {
      told = resolve;
    });
    const applied = Promise.all([apply(told), apply()]);
    expect(await message).toMatch(/^Another server applies migrations/);
    await other.query("select pg_advisory_unlock(72707369)");
    expect((await applied).flat()).toEqual(["20990101000000_note"]);
  });

  it("builds an index beside a writer, and after an interrupted build", async () => {
    const name = "20990101000000_index";
    const sql =
      '-- Unique.\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "tag_type_label" ON "tag_type" (("name" || \'\'));';
    addMigrations({ [name]: sql });
    await test.pool.query(`insert into tag_type (id, name, name_key, created_at)
      select gen_random_uuid(), 'same', n::text, now() from generate_series(1, 2) n`);
    await expect(apply()).rejects.toThrow(`The migration ${name} failed: could not create unique index`);
    await other.query("begin; update tag_type set name = name_key");
    const applied = apply();
    const isWaiting = `select from pg_locks join pg_stat_activity using (pid)
      where locktype = 'virtualxid' and not granted and datname = current_database()`;
    await vi.waitUntil(async () => (await test.pool.query(isWaiting)).rowCount === 1, PATIENCE);
    await test.pool.query("update tag_type set created_at = now() where false");
    await other.query("commit");
    expect(await applied).toEqual([name]);
    const { rows } = await test.pool.query(
      "select indisvalid from pg_index where indexrelid = 'tag_type_label'::regclass",
    );
    expect(rows).toEqual([{ indisvalid: true }]);
  });

  it("has built its index although the server died before it could say so", async () => {
    const name = "20990101000000_index";
    addMigrations({ [name]: 'CREATE INDEX CONCURRENTLY "tag_type_label" ON "tag_type" ("name");' });
    await applyAndDieBeforeTheEntry();
    expect(await apply()).toEqual([name]);
    expect(await entriesOf(name)).toEqual([ROLLED_BACK, FINISHED]);
  });
});

await describeOnForms("several replicas that start together", ["server"], (form) => {
  it("apply each migration once", async () => {
    const prepared = await prepareTestDatabase(form, false);
    const pools = Array.from(
      { length: 5 },
      () => new pg.Pool({ connectionString: prepared.url as string, max: 1 }),
    );
    try {
      const applied = await Promise.all(
        pools.map(async (pool) => {
          try {
            return await applyMigrations(pool);
          } finally {
            await pool.end();
          }
        }),
      );
      expect(applied.flat().sort()).toEqual(names);
      const check = new pg.Client(prepared.url as string);
      await check.connect();
      const { rows } = await check.query(
        "select migration_name, applied_steps_count from _prisma_migrations order by migration_name",
      );
      await check.end();
      expect(rows).toEqual(names.map((migration_name) => ({ migration_name, applied_steps_count: 1 })));
    } finally {
      await prepared.remove();
    }
  });

  it("order name keys by code point in a database with another collation", async (context) => {
    const test = await openTestDatabase(form);
    try {
      const { rows } = await test.pool.query(`select 'b' < 'C' as "ownOrder"`);
      context.skip(rows[0].ownOrder !== true, "this machine has no locale that orders otherwise");
      await test.pool.query(`insert into tag_type (id, name, name_key, created_at)
        select gen_random_uuid(), k, k, now() from unnest(array['b', 'C', 'é', 'z', '😀', '￼', '_']) k`);
      const ordered = await test.pool.query("select name_key from tag_type order by name_key");
      expect(ordered.rows.map(({ name_key }) => name_key)).toEqual(["C", "_", "b", "z", "é", "￼", "😀"]);
      const unordered = await test.pool.query("select name from tag_type order by name");
      expect(unordered.rows.map(({ name }) => name)).not.toEqual(["C", "_", "b", "z", "é", "￼", "😀"]);
    } finally {
      await test.close();
    }
  });
});

test("existing tags of links get the creation times of the links", async () => {
  const database = await PGlite.create();
  const run = (name: string) =>
    database.exec(readFileSync(new URL(`${name}/migration.sql`, MIGRATIONS), "utf8"));
  try {
    const added = names.findIndex((name) => name.endsWith("_tagged_at"));
    for (const name of names.slice(0, added)) await run(name);
    await database.exec(`
      insert into channel (id, chat_id, kind, title, created_at)
        values ('00000000-0000-7000-8000-000000000001', -1, 'CHANNEL', 'A', now());
      insert into tag_type (id, name, name_key, created_at)
        values ('00000000-0000-7000-8000-000000000002', 'B', 'b', now());
      insert into tag (id, channel_id, type_id, name, name_key, color, created_at)
        select '00000000-0000-7000-8000-000000000003', c.id, y.id, 'C', 'c', '#000000', now() from channel c, tag_type y;
      insert into invite_link (id, channel_id, url, created_at)
        select gen_random_uuid(), id, n, timestamptz '2026-01-01' + n * interval '1 day'
        from channel, generate_series(1, 3) n;
      insert into invite_link_tag (link_id, tag_id, channel_id, type_id)
        select l.id, t.id, t.channel_id, t.type_id from invite_link l, tag t;`);
    await run(names[added] as string);
    const { rows } = await database.query(`
      select count(*)::int as count from invite_link_tag lt
      join invite_link l on l.id = lt.link_id and l.created_at = lt.created_at`);
    expect(rows).toEqual([{ count: 3 }]);
  } finally {
    await database.close();
  }
});

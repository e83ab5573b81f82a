import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { embeddedPool } from "../../src/database/embedded.js";
import { FolderInUseError, lockFolder } from "../../src/database/folder.js";
import type { DatabasePool } from "../../src/database/pools.js";
import { openPool, type PreparedDatabase, prepareTestDatabase } from "../support/databases.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const KILLS = 50;

const sqlState = (code: string) => expect.objectContaining({ code });

let prepared: PreparedDatabase;
let opened: DatabasePool;
let pool: pg.Pool;

beforeAll(async () => {
  prepared = await prepareTestDatabase("embedded");
  opened = await openPool(prepared);
  pool = opened.pool;
});
afterAll(async () => {
  await opened?.close();
  await prepared?.remove();
});

const value = async (text: string, values: unknown[] = []): Promise<unknown> => {
  const { rows } = await pool.query(`select ${text} as value`, values);
  return rows[0].value;
};

/** Opens the closed database of these tests again, which must answer. */
async function reopen(): Promise<void> {
  opened = await embeddedPool(prepared.dataDir as string, () => {});
  pool = opened.pool;
  expect(await value("1")).toBe(1);
}

describe("the socket of the embedded database", () => {
  beforeEach(async () => {
    await pool.query("drop table if exists item; create table item (id int primary key, name text not null)");
  });

  it("leads to a PostgreSQL in this process, in UTC", async () => {
    expect(await value("version()")).toMatch(/PGlite/);
    expect(await value("extract(timezone from now())")).toBe("0");
    expect(opened.embedded).toBe(true);
    expect(await value("current_setting('server_encoding')")).toBe("UTF8");
  });

  it.each<[string, string, unknown[]]>([
    ["42601", "select from where", []],
    ["42P01", "select * from nothing_here", []],
    ["22012", "select 1 / $1::int", [0]],
    ["22P02", "select $1::uuid", ["x"]],
    ["23505", "insert into item values (1, 'a'), (1, 'b')", []],
    ["23502", "insert into item values ($1, null)", [1]],
    ["22008", "select $1::timestamptz", ["2026-02-30T00:00:00Z"]],
    ["22021", "select $1::text", ["\0"]],
  ])("tells the SQLSTATE %s, and goes on", async (code, text, values) => {
    await expect(pool.query(text, values)).rejects.toEqual(sqlState(code));
    await expect(pool.query({ name: `named_${code}`, text, values })).rejects.toEqual(sqlState(code));
    expect(await value("$1::int", [7])).toBe(7);
    expect(await value("8")).toBe(8);
  });

  it("passes on the fields of an error", async () => {
    await pool.query("insert into item values (1, 'a')");
    await expect(pool.query("insert into item values ($1, $2)", [1, "b"])).rejects.toEqual(
      expect.objectContaining({
        severity: "ERROR",
        table: "item",
        constraint: "item_pkey",
        detail: expect.stringContaining("(id)=(1)"),
      }),
    );
  });

  it("survives many errors among concurrent statements", async () => {
    const answers = await Promise.allSettled(
      Array.from({ length: 200 }, (_, index) => pool.query("select 10 / $1::int as value", [index % 4])),
    );
    for (const [index, answer] of answers.entries()) {
      if (index % 4 === 0) expect(answer).toEqual({ status: "rejected", reason: sqlState("22012") });
      else
        expect(answer.status === "fulfilled" && answer.value.rows).toEqual([
          { value: Math.trunc(10 / (index % 4)) },
        ]);
    }
  });

  it("commits, rolls back, and refuses statements after an error until the transaction ends", async () => {
    const client = await pool.connect();
    try {
      await client.query("begin");
      await client.query("insert into item values ($1, $2)", [1, "kept"]);
      await client.query("commit");
      await client.query("begin");
      await client.query("insert into item values (2, 'gone')");
      await client.query("savepoint here");
      await expect(client.query("insert into item values (1, 'twin')")).rejects.toEqual(sqlState("23505"));
      await expect(client.query("select 1")).rejects.toEqual(sqlState("25P02"));
      await client.query("rollback to here");
      expect((await client.query("select id from item order by id")).rows).toEqual([{ id: 1 }, { id: 2 }]);
      await expect(client.query("select $1::int / 0", [1])).rejects.toEqual(sqlState("22012"));
      // A commit of a failed transaction is a rollback.
      expect((await client.query("commit")).command).toBe("ROLLBACK");
    } finally {
      client.release();
    }
    expect((await pool.query("select * from item")).rows).toEqual([{ id: 1, name: "kept" }]);
  });

  it("gives the only session to one client at a time", async () => {
    const client = await pool.connect();
    const order: string[] = [];
    const outside = pool.query("select count(*)::int as count from item").then(({ rows }) => {
      order.push("outside");
      return rows[0].count;
    });
    await client.query("begin");
    await client.query("insert into item values (1, 'a')");
    await delay(20);
    await client.query("rollback");
    order.push("inside");
    client.release();
    expect(await outside).toBe(0);
    expect(order).toEqual(["inside", "outside"]);
  });

  it("opens a new session after one broke in use", async () => {
    const settings = "current_setting('search_path') || ' ' || current_setting('timezone')";
    const before = await value(settings);
    const client = await pool.connect();
    await client.query("begin");
    await client.query("insert into item values (1, 'never committed')");
    await client.query("set local timezone to 'Asia/Tokyo'");
    client.release(new Error("broken"));
    expect(await value("(select count(*) from item)")).toBe(0);

    const failed = await pool.connect();
    await failed.query("set search_path to nowhere; set timezone to 'Asia/Tokyo'");
    await failed.query("begin; listen news");
    await expect(failed.query("select 1 / 0")).rejects.toEqual(sqlState("22012"));
    failed.release(new Error("broken"));
    expect(await value(settings)).toBe(before);
    await pool.query("insert into item values (1, 'a')");
    expect(await value("(select count(*) from item)")).toBe(1);
  });

  it("forgets named statements in the session that follows a broken one", async () => {
    const named = (text: string) => pool.query({ name: "mine", text, values: [] });
    expect((await named("select 1 as value")).rows).toEqual([{ value: 1 }]);
    await expect(pool.query("select 1 / 0")).rejects.toEqual(sqlState("22012"));
    expect((await named("select 1 as value")).rows).toEqual([{ value: 1 }]);
    await expect(pool.query("select 1 / 0")).rejects.toEqual(sqlState("22012"));
    expect((await named("select 2 as value")).rows).toEqual([{ value: 2 }]);
  });

  it("does not mix up named statements with different texts", async () => {
    for (let round = 0; round < 3; round += 1) {
      for (let index = 0; index < 20; index += 1) {
        const { rows } = await pool.query({
          name: `plus_${index}`,
          text: `select $1::int + ${index} as value`,
          values: [round],
        });
        expect(rows).toEqual([{ value: round + index }]);
      }
    }
    await expect(pool.query({ name: "plus_0", text: "select 2", values: [] })).rejects.toThrow(
      /must be unique/,
    );
    // A statement with a syntax error is not stored under its name.
    await expect(pool.query({ name: "late", text: "select * from comes_later" })).rejects.toEqual(
      sqlState("42P01"),
    );
    await pool.query("create temporary table comes_later as select 5 as value");
    expect((await pool.query({ name: "late", text: "select * from comes_later" })).rows).toEqual([
      { value: 5 },
    ]);
    await pool.query("drop table comes_later");
  });

  it("runs several statements in one text", async () => {
    const results = (await pool.query("select 1 as a; select 2 as b")) as unknown as pg.QueryResult[];
    expect(results.map(({ rows }) => rows)).toEqual([[{ a: 1 }], [{ b: 2 }]]);
    await expect(pool.query("insert into item values (9, 'x'); select 1 / 0")).rejects.toEqual(
      sqlState("22012"),
    );
    expect(await value("(select count(*) from item)")).toBe(0);
  });

  it("carries large results and large values", async () => {
    const { rows } = await pool.query("select n, repeat('x', 100) as text from generate_series(1, 50000) n");
    expect(rows).toHaveLength(50_000);
    expect(rows.at(-1)).toEqual({ n: 50_000, text: "x".repeat(100) });
    const bytes = randomBytes(3_000_000);
    expect(bytes.equals((await value("$1::bytea", [bytes])) as Buffer)).toBe(true);
    const text = "é😀".repeat(300_000);
    expect(await value("$1::text", [text])).toBe(text);
    const many = Array.from({ length: 20_000 }, (_, index) => index);
    expect(await value("cardinality($1::bigint[])", [many])).toBe(20_000);
  });

  it("keeps no memory of its answers", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const answer = () => pool.query("select n, repeat('x', 1000) as text from generate_series(1, 1000) n");
    await answer();
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let times = 0; times < 40; times += 1) await answer();
    collect();
    // The answers have forty megabytes.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(10_000_000);
  });

  it("decodes values as the server's pool does", async () => {
    const { rows } = await pool.query(
      `select $1::bigint as id, $2::numeric(14,2) as budget, $3::timestamptz as at, $4::bytea as bytes, count(*) as count,
        array[true, false] as flags, '{"a": [1]}'::jsonb as json, null::int as nothing, 'ñ😀' as text,
        gen_random_uuid() as uuid, $5::int as whole from item`,
      [
        -(2 ** 52),
        "999999999999.90",
        "2026-11-21T20:58:00.123+02:00",
        Buffer.from([0, 255, 92]),
        2 ** 31 - 1,
      ],
    );
    expect(rows).toEqual([
      {
        id: -(2 ** 52),
        budget: "999999999999.90",
        at: "2026-11-21T18:58:00.123Z",
        bytes: Buffer.from([0, 255, 92]),
        count: 0,
        flags: [true, false],
        json: { a: [1] },
        nothing: null,
        text: "ñ😀",
        uuid: expect.stringMatching(/^[0-9a-f-]{36}$/),
        whole: 2 ** 31 - 1,
      },
    ]);
    expect(await value("$1::bigint", [String(Number.MAX_SAFE_INTEGER)])).toBe(Number.MAX_SAFE_INTEGER);
    for (const instant of [
      "0001-01-01T00:00:00.000Z",
      "1969-12-31T23:59:59.999Z",
      "2026-03-01T00:00:00.500Z",
      "2026-03-01T12:34:56.070Z",
      "9999-12-31T23:59:59.999Z",
    ]) {
      expect(await value("$1::timestamptz", [instant])).toEqual(instant);
    }
  });

  it("refuses a bigint that would lose digits, and works afterwards", async () => {
    await expect(value("9007199254740993::bigint")).rejects.toThrow(RangeError);
    expect(await value("1")).toBe(1);
  });

  it("delivers notifications", async () => {
    const client = await pool.connect();
    try {
      const heard: [string, string | undefined][] = [];
      client.on("notification", ({ channel, payload }) => heard.push([channel, payload]));
      await client.query("listen news");
      await client.query("select pg_notify('news', $1)", ["first"]);
      await client.query("notify other, 'not for us'");
      await client.query("begin; notify news, 'second'; commit");
      await client.query("begin; notify news, 'taken back'; rollback");
      await client.query("select 1");
      expect(heard).toEqual([
        ["news", "first"],
        ["news", "second"],
      ]);
      await client.query("unlisten news");
      await client.query("notify news, 'too late'");
      expect(heard).toHaveLength(2);
      client.removeAllListeners("notification");
    } finally {
      client.release();
    }
  });

  it("answers each of many concurrent statements with its own result", async () => {
    const answers = await Promise.all(
      Array.from({ length: 1_000 }, (_, index) =>
        index % 3 === 0
          ? pool.query({ name: "echo", text: "select $1::int as value", values: [index] })
          : pool.query(`select ${index % 3 === 1 ? "$1::int" : "$1::bigint"} as value`, [index]),
      ),
    );
    expect(answers.map(({ rows }) => rows[0].value)).toEqual(answers.map((_, index) => index));
    expect(pool.totalCount).toBe(1);
  });
});

describe("the folder of an embedded database", () => {
  it.skipIf(process.platform === "win32")("can be read by its owner alone", async () => {
    const folder = await mkdtemp(join(tmpdir(), "invite-links-owned-"));
    try {
      lockFolder(join(folder, "in", "here")).release();
      expect((await stat(join(folder, "in", "here"))).mode & 0o777).toBe(0o700);
      expect((await stat(join(folder, "in", "here", "lock"))).mode & 0o777).toBe(0o600);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it("is refused to a second pool in this process until the first is closed", async () => {
    const folder = prepared.dataDir as string;
    await expect(embeddedPool(folder, () => {})).rejects.toThrow(FolderInUseError);
    await opened.close();
    await reopen();
  });

  it("is unlocked after a failed attempt to open a damaged database", async () => {
    const folder = await mkdtemp(join(tmpdir(), "invite-links-broken-"));
    try {
      await writeFile(join(folder, "postgres"), "a file, where a folder should be");
      await expect(embeddedPool(folder, () => {})).rejects.toThrow();
      expect(() => lockFolder(folder).release()).not.toThrow();
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe("another process on the folder of an embedded database", () => {
  /** A folder with src/database compiled for plain Node.js, and scripts. */
  let build: string;
  let killed: PreparedDatabase;
  let folder: string;

  function start(script: string, ...args: string[]) {
    const child = spawn(process.execPath, [join(build, script), ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let complaint = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaint += text;
    });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    const closed = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
    /** Whole lines: the last line may be incomplete. */
    const lines = () => text.split("\n").slice(0, -1);
    return {
      child,
      /** Resolves when the process has ended and its output is complete. */
      closed,
      complaint: () => complaint,
      lines,
      /** Waits for a number of printed lines. */
      async printed(count: number) {
        while (lines().length < count) {
          const ended = await Promise.race([
            once(child.stdout, "data").then(() => false),
            closed.then(() => true),
          ]);
          if (ended && lines().length < count) throw new Error(`The child ended too early: ${complaint}`);
        }
      },
    };
  }

  beforeAll(async () => {
    const parent = join(ROOT, "node_modules/.cache");
    await mkdir(parent, { recursive: true });
    build = await mkdtemp(join(parent, "test-build-"));
    await writeFile(
      join(build, "tsconfig.json"),
      JSON.stringify({
        extends: relative(build, join(ROOT, "tsconfig.json")),
        compilerOptions: {
          noEmit: false,
          incremental: false,
          tsBuildInfoFile: null,
          rootDir: join(ROOT, "src"),
          outDir: "out",
        },
        include: [],
        files: [join(ROOT, "src/database/embedded.ts"), join(ROOT, "src/database/fs-native-extensions.d.ts")],
      }),
    );
    // Type errors do not matter here: files are emitted anyway.
    const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
    await promisify(execFile)(process.execPath, [compiler, "-p", build]).catch((error: unknown) => {
      if (!existsSync(join(build, "out/database/embedded.js"))) throw error;
    });
    const embedded = pathToFileURL(join(build, "out/database/embedded.js")).href;
    await writeFile(
      join(build, "hold.mjs"),
      `import { embeddedPool } from ${JSON.stringify(embedded)};
      try {
        await embeddedPool(process.argv[2], console.error);
        console.log("open");
        setInterval(() => {}, 1000);
      } catch (error) {
        console.log(error.name + ": " + error.message);
      }`,
    );
    await writeFile(
      join(build, "write.mjs"),
      `import { writeSync } from "node:fs";
      import { embeddedPool } from ${JSON.stringify(embedded)};
      const { pool } = await embeddedPool(process.argv[2], (error) => { throw error; });
      await pool.query("create table if not exists kept (id bigint, part int, filler text, primary key (id, part))");
      const { rows } = await pool.query("select id, count(*)::int as parts from kept group by id");
      writeSync(1, "seen " + JSON.stringify(rows.map(({ id, parts }) => [id, parts])) + "\\n");
      let id = rows.reduce((most, row) => Math.max(most, row.id), 0);
      for (;;) {
        id += 1;
        const client = await pool.connect();
        await client.query("begin");
        for (let part = 1; part <= 3; part += 1) {
          await client.query("insert into kept values ($1, $2, $3)", [id, part, "x".repeat((id * 37) % 3000)]);
        }
        await client.query("commit");
        client.release();
        writeSync(1, "wrote " + id + "\\n");
      }`,
    );
    killed = await prepareTestDatabase("embedded");
    folder = killed.dataDir as string;
  });
  afterAll(async () => {
    if (build) await rm(build, { recursive: true, force: true, maxRetries: 3 });
    await killed?.remove();
  });

  it("is refused while the folder is in use, and gets it when the first process is killed", async () => {
    const mine = prepared.dataDir as string;
    const refused = start("hold.mjs", mine);
    await refused.closed;
    expect(refused.lines()).toEqual([
      `FolderInUseError: The folder ${mine} is used by another invite-links server. Stop that server, or set another DATA_DIR.`,
    ]);
    await opened.close();
    const holder = start("hold.mjs", mine);
    try {
      await holder.printed(1);
      expect(holder.lines()).toEqual(["open"]);
      await expect(embeddedPool(mine, () => {})).rejects.toThrow(FolderInUseError);
    } finally {
      holder.child.kill("SIGKILL");
      await holder.closed;
    }
    await reopen();
  });

  it("opens a folder whose last process was killed while it made PostgreSQL's lock file", async () => {
    const mine = prepared.dataDir as string;
    await opened.close();
    await writeFile(join(mine, "postgres", "postmaster.pid"), "");
    await reopen();
  });

  it("opens a folder whose first processes were killed while they made the database", async () => {
    const fresh = await mkdtemp(join(tmpdir(), "invite-links-data-"));
    try {
      for (let kill = 1; kill <= 5; kill += 1) {
        const first = start("hold.mjs", fresh);
        await delay(Math.random() * 1200);
        first.child.kill("SIGKILL");
        await first.closed;
      }
      const whole = await embeddedPool(fresh, () => {});
      const { rows } = await whole.pool.query("select 1 as one");
      expect(rows).toEqual([{ one: 1 }]);
      await whole.close();
      expect((await readdir(fresh)).sort()).toEqual(["lock", "postgres"]);
    } finally {
      await rm(fresh, { recursive: true, force: true });
    }
  });

  // Each process opens the database, which takes a busy machine some seconds.
  it(`loses nothing that it had committed when it is killed, ${KILLS} times`, {
    timeout: 600_000,
  }, async () => {
    const acknowledged = new Set<number>();
    const check = (seen: readonly (readonly [number, number])[]) => {
      const ids = new Set(seen.map(([id]) => id));
      expect([...acknowledged].filter((id) => !ids.has(id))).toEqual([]);
      expect(seen.filter(([, parts]) => parts !== 3)).toEqual([]);
    };
    let writing = 0;
    for (let kill = 1; kill <= KILLS; kill += 1) {
      const writer = start("write.mjs", folder);
      // Some processes are killed while they start or recover, most while they write.
      const early = kill > 1 && kill % 3 === 0;
      if (early) await delay(Math.random() * 600);
      else {
        // The first line is printed before any write, each further line after a commit.
        await writer.printed(2 + Math.floor(Math.random() * 12));
        await delay(Math.random() * 15);
      }
      writer.child.kill("SIGKILL");
      const [, signal] = await writer.closed;
      expect(writer.complaint()).toBe("");
      expect(signal).toBe("SIGKILL");
      const [seen, ...wrote] = writer.lines();
      if (seen === undefined) continue;
      check(JSON.parse(seen.slice("seen ".length)));
      for (const line of wrote) acknowledged.add(Number(line.slice("wrote ".length)));
      writing += wrote.length > 0 ? 1 : 0;
    }
    const last = await embeddedPool(folder, () => {});
    try {
      const { rows } = await last.pool.query("select id, count(*)::int as parts from kept group by id");
      check(rows.map(({ id, parts }) => [id, parts]));
    } finally {
      await last.close();
    }
    expect(acknowledged.size).toBeGreaterThan(KILLS);
    expect(writing).toBeGreaterThan(KILLS / 2);
  });
});

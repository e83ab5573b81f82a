import { afterAll, beforeAll, expect, it, onTestFinished, vi } from "vitest";
import { openDatabase } from "../../src/database/open.js";
import { serverPool } from "../../src/database/pools.js";
import { describeOnForms } from "../support/databases.js";
import { missingPooler, type Pooler, startPooler } from "../support/pgbouncer.js";
import { type OwnedDatabase, ownedDatabase } from "../support/roles.js";
import { CHANNEL, startTestServer } from "../support/server.js";

const MANY = 40;

let names = 0;

/** Sends concurrent reads and creations over HTTP. @returns the status and the result of each. */
async function askMany(databaseUrl: string, databasePool = 10) {
  const server = await startTestServer({ databaseUrl, databasePool }, "server");
  try {
    const answers = await Promise.all(
      Array.from({ length: MANY }, (_, index) =>
        index % 4 === 0
          ? server.ask("mutation ($name: String!) { createTagType(input: { name: $name }) { __typename } }", {
              name: `Type ${names++}`,
            })
          : server.ask(
              `{ inviteLinks(channelId: ${CHANNEL}, first: 5, filter: { name: "a${index}" }) { totalCount nodes { name tags { name } } } viewer { name } }`,
            ),
      ),
    );
    return answers.map(({ status, errors, data }) => [
      status,
      errors,
      data?.createTagType?.__typename ?? typeof data?.inviteLinks.totalCount,
    ]);
  } finally {
    await server.stop();
  }
}

const ALL_RIGHT = Array.from({ length: MANY }, (_, index) => [
  200,
  undefined,
  index % 4 === 0 ? "CreateTagTypeSuccess" : "number",
]);

await describeOnForms("a server with few database sessions", ["server"], () => {
  let owned: OwnedDatabase;

  beforeAll(async () => {
    owned = await ownedDatabase();
  });
  afterAll(() => owned?.remove());

  it.each([8, 3])("answers every request with a role limit of %i sessions", async (limit) => {
    await owned.asSuperuser(`alter role ${owned.role} connection limit ${limit}`);
    expect(await askMany(owned.url)).toEqual(ALL_RIGHT);
  });

  it.each([1, 2, 5])("answers every request with a DATABASE_POOL of %i", async (databasePool) => {
    await owned.asSuperuser(`alter role ${owned.role} connection limit ${databasePool + 1}`);
    expect(await askMany(owned.url, databasePool)).toEqual(ALL_RIGHT);
  });

  it("gives a statement that waits a further session once there may be more", async () => {
    await owned.asSuperuser(`alter role ${owned.role} connection limit 1`);
    // Sessions of the test before may still be ending.
    const sessions = () => owned.asSuperuser(`select from pg_stat_activity where usename = '${owned.role}'`);
    await expect.poll(async () => (await sessions()).rowCount).toBe(0);
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const { pool, close } = serverPool(owned.url, () => {}, { sessions: 2 });
    const occupied = await pool.connect();
    const waiting = pool.query("select 1 as one");
    await expect.poll(() => pool.options.max).toBe(1);
    await owned.asSuperuser(`alter role ${owned.role} connection limit 10`);
    vi.advanceTimersByTime(5000);
    expect((await waiting).rows).toEqual([{ one: 1 }]);
    occupied.release();
    await close();
  });

  it("does not start with a single session, and reports it in one line", async () => {
    await owned.asSuperuser(`alter role ${owned.role} connection limit 1`);
    await expect(startTestServer({ databaseUrl: owned.url }, "server")).rejects.toThrow(
      /^DATABASE_URL: the database has no further connection [^\n]*$/,
    );
  });
});

await describeOnForms("a pooler", missingPooler === null ? ["server"] : [], () => {
  let owned: OwnedDatabase;
  const poolers: Pooler[] = [];

  beforeAll(async () => {
    owned = await ownedDatabase();
  });
  afterAll(async () => {
    await Promise.all(poolers.map((pooler) => pooler.stop()));
    await owned?.remove();
  });
  const pooler = async (settings: Record<string, string>) => {
    const started = await startPooler(owned.url, settings);
    poolers.push(started);
    return started;
  };

  it("in session mode works with its usual settings", async () => {
    const { through } = await pooler({ pool_mode: "session" });
    expect(await askMany(through(owned.url))).toEqual(ALL_RIGHT);
  });

  it("in session mode works with few sessions or few clients", async () => {
    const few = await pooler({ pool_mode: "session", default_pool_size: "3" });
    expect(await askMany(few.through(owned.url))).toEqual(ALL_RIGHT);
    const crowded = await pooler({ pool_mode: "session", max_client_conn: "4" });
    expect(await askMany(crowded.through(owned.url))).toEqual(ALL_RIGHT);
  });

  it("in session mode works although it resets no session", async () => {
    const { through } = await pooler({
      pool_mode: "session",
      server_reset_query: "",
      default_pool_size: "6",
    });
    for (let start = 0; start < 2; start += 1) expect(await askMany(through(owned.url))).toEqual(ALL_RIGHT);
  });

  it.each(["transaction", "statement"])(
    "in %s mode is refused in one line, and nothing is changed",
    async (mode) => {
      const { through } = await pooler({ pool_mode: mode });
      const { rows: before } = await owned.asSuperuser("select count(*)::int as count from pg_class");
      const url = new URL(through(owned.url));
      url.searchParams.set("schema", `in_${mode}`);
      const opening = openDatabase({ url: url.href, directUrl: owned.url, folder: "" }, () => {});
      await expect(opening).rejects.toThrow(/^DATABASE_URL: the pooler shares sessions [^\n]*$/);
      expect((await owned.asSuperuser("select count(*)::int as count from pg_class")).rows).toEqual(before);
    },
  );

  it("is bypassed by DATABASE_DIRECT_URL, which must lead to the same database", async () => {
    const { through } = await pooler({ pool_mode: "session" });
    const location = { url: through(owned.url), folder: "" };
    const { pool } = await openDatabase({ ...location, directUrl: owned.url }, () => {});
    await pool.close();
    const elsewhere = [
      owned.with((url) => url.searchParams.set("schema", "another")),
      owned.with((url) => {
        url.username = "postgres";
        url.pathname = "postgres";
      }),
    ];
    for (const directUrl of elsewhere)
      await expect(openDatabase({ ...location, directUrl }, () => {})).rejects.toThrow(
        /^DATABASE_DIRECT_URL: the address leads to another database or schema [^\n]*$/,
      );
  });
});

if (missingPooler !== null) it.skip(`a pooler is left out: ${missingPooler}`, () => {});

import { readFileSync } from "node:fs";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { DatabaseHoldStore } from "../../src/background/telegramHolds.js";
import { createDatabase } from "../../src/database/database.js";
import { serverPool } from "../../src/database/pools.js";
import { exampleQueries } from "../../src/http/graphql/exampleQueries.js";
import { type PostgresServer, startPostgres } from "../../tools/postgres.mjs";
import { CHANNEL, CREATIVE, PLATFORM, startTestServer, type TestServer, YOUTUBE } from "../support/server.js";

const raise = (error: unknown): never => {
  throw error;
};

/** A PostgreSQL of this file's own with the module; or, in one line, why there is none. */
async function startWithStatistics(): Promise<PostgresServer | string> {
  try {
    const settings = { shared_preload_libraries: "pg_stat_statements", fsync: "off" };
    return (await startPostgres({ settings })) ?? "this machine has no PostgreSQL that runs";
  } catch (error) {
    if (!String(error).includes("pg_stat_statements")) throw error;
    return "this machine's PostgreSQL has no pg_stat_statements";
  }
}

const postgres = await startWithStatistics();
if (typeof postgres === "string") it.skip(`skipped: ${postgres}`, () => {});

/** Transaction control, and what a session sets when it opens: these have no name. */
const WITHOUT_NAME =
  /^(begin|commit|rollback|set|close all|unlisten|deallocate)\b|pg_advisory_unlock_all|^select set_config\(/i;
const OF_PRISMA = /"public"\."/;
const nameIn = (text: string): string | undefined => /^\s*[a-z]+ \/\* (\w+) \*\//i.exec(text)?.[1];

const documented = new Set(
  [...readFileSync(new URL("../../docs/statements.md", import.meta.url), "utf8").matchAll(/`(\w+)`/g)].map(
    ([, name]) => name,
  ),
);

describe.skipIf(typeof postgres === "string")("the names of statements", () => {
  const { url, stop } = postgres as PostgresServer;
  let server: TestServer;
  /** In another database, so that its statements are not among the server's. */
  let observer: pg.Client;

  /** How many runs of each statement the metrics have. */
  const metered = async (): Promise<Map<string, number>> => {
    const samples = await (await fetch(`${server.origin}/metrics`)).text();
    const series = /^invite_links_sql_statement_duration_seconds_count\{statement="(\w+)"\} (\d+)$/gm;
    return new Map([...samples.matchAll(series)].map(([, name = "", count]) => [name, Number(count)]));
  };
  /** The texts that PostgreSQL has counted. */
  const counted = async (): Promise<string[]> => {
    const { rows } = await observer.query<{ query: string }>(
      "select query from pg_stat_statements s join pg_database d on d.oid = s.dbid where d.datname = 'postgres'",
    );
    return rows.map(({ query }) => query);
  };

  let before: ReadonlyMap<string, number>;

  beforeAll(async () => {
    server = await startTestServer({ databaseUrl: url, databasePool: 4 });
    const other = new URL(url);
    other.pathname = "template1";
    observer = new pg.Client(other.href);
    await observer.connect();
    await observer.query("create extension pg_stat_statements");
    // The statements of the migrations are Prisma's.
    await observer.query("select pg_stat_statements_reset()");
    before = await metered();
    const documents = exampleQueries({
      chatId: CHANNEL,
      first: { typeId: PLATFORM, tagIds: [YOUTUBE] },
      second: { typeId: CREATIVE, tagIds: [] },
    });
    for (const document of documents.filter((text) => !/^subscription/m.test(text))) {
      const { data } = await server.ask(document);
      expect(data, document).toBeTruthy();
    }
    const headers = { authorization: `Bearer ${server.token}` };
    const calls = [
      "POST /invite_links/all?",
      "POST /invite_links/all?limit=-1&",
      "GET /tags?",
      "GET /export?",
    ];
    for (const call of calls) {
      const [method = "", path] = call.split(" ");
      const answer = await fetch(`${server.origin}${path}channel_id=${CHANNEL}`, { method, headers });
      expect([call, answer.status]).toEqual([call, 200]);
      await answer.text();
    }
  });
  afterAll(async () => {
    await server?.stop();
    await observer?.end();
    await stop();
  });

  test("a statement has the same name in the metrics and in pg_stat_statements", async () => {
    const rose = [...(await metered())].filter(([name, count]) => count > (before.get(name) ?? 0));
    const names = rose.map(([name]) => name).filter((name) => !name.startsWith("prisma_"));
    expect(names).toEqual(
      expect.arrayContaining([
        "links_page",
        "links_count",
        "link_facets",
        "link_batch_insert",
        "export_links",
      ]),
    );
    expect([...new Set((await counted()).map(nameIn))]).toEqual(expect.arrayContaining(names));
  });

  test("PostgreSQL ran no hand-written statement without a name", async () => {
    const texts = await counted();
    const handWritten = texts.filter((text) => !WITHOUT_NAME.test(text.trim()) && !OF_PRISMA.test(text));
    expect(handWritten.length).toBeGreaterThan(30);
    expect(handWritten.filter((text) => !documented.has(nameIn(text)))).toEqual([]);
  });

  test("the log line of a statement has its name, which for Prisma's tells the verb and the table", () => {
    const names = server.log.filter(({ msg }) => msg === "sql").map(({ statement }) => String(statement));
    const others = [...new Set(names)].filter((name) => !documented.has(name));
    expect(others).toContain("prisma_select_api_token");
    expect(
      others.filter(
        (name) => !/^prisma_(begin|commit|rollback|(select|insert|update|delete)_[a-z_]+)$/.test(name),
      ),
    ).toEqual([]);
  });

  test("the name of a prepared statement begins with the statement's name", async () => {
    const pool = serverPool(url, raise, { sessions: 1 });
    const database = createDatabase(pool);
    try {
      await new DatabaseHoldStore(database, raise).live();
      const { rows } = await pool.pool.query("select name, statement from pg_prepared_statements");
      expect(rows).toEqual([
        {
          name: expect.stringMatching(/^telegram_holds_live_[\w-]{12}$/),
          statement: expect.stringMatching(/^\s*select \/\* telegram_holds_live \*\//),
        },
      ]);
    } finally {
      await database.close();
    }
  });

  test("the log line of an unexpected failure names the statement", async () => {
    const client = new pg.Client(url);
    await client.connect();
    try {
      await client.query("alter table tag_type rename to hidden");
      const { errors } = await server.ask("{ tagTypes { id } }");
      expect(errors?.[0]?.extensions.code).toBe("INTERNAL_SERVER_ERROR");
      const requestId = errors?.[0]?.extensions.requestId;
      expect(
        server.log.find((line) => line.level === "error" && line["requestId"] === requestId),
      ).toMatchObject({
        err: { statement: "tag_types_list" },
      });
    } finally {
      await client.query("alter table hidden rename to tag_type");
      await client.end();
    }
  });
});

import { Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { DatabasePool } from "../../src/database/pools.js";
import { serverPool, sessionConfig } from "../../src/database/pools.js";
import { StatementNames } from "../../src/database/statementNames.js";
import { WaitingPool } from "../../src/database/waitingPool.js";
import { fastPaths } from "../../src/fastPaths.js";
import { describeOnForms, openPool, prepareTestDatabase } from "../support/databases.js";
import { type OwnedDatabase, ownedDatabase } from "../support/roles.js";
import { CHANNEL, startTestServer, type TestServer, YOUTUBE } from "../support/server.js";

/** For every setting that the code relies on, a value with which the code would fail. */
const UNUSUAL: Readonly<Record<string, string>> = {
  timezone: "Asia/Tokyo",
  datestyle: "German, DMY",
  intervalstyle: "sql_standard",
  extra_float_digits: "-15",
  bytea_output: "escape",
  standard_conforming_strings: "off",
  escape_string_warning: "on",
  transform_null_equals: "on",
  array_nulls: "off",
  xmloption: "document",
  quote_all_identifiers: "on",
  check_function_bodies: "off",
  default_transaction_isolation: "serializable",
  default_transaction_read_only: "on",
  default_transaction_deferrable: "on",
  row_security: "off",
  gin_fuzzy_search_limit: "1",
  exit_on_error: "on",
  statement_timeout: "2s",
  lock_timeout: "1",
  idle_in_transaction_session_timeout: "3s",
  idle_session_timeout: "3s",
  synchronous_commit: "off",
  client_min_messages: "error",
  client_encoding: "LATIN1",
  search_path: "elsewhere, pg_catalog",
  tcp_keepalives_idle: "7200",
  tcp_keepalives_interval: "75",
  tcp_keepalives_count: "9",
  tcp_user_timeout: "0",
};

const RIGHT: Readonly<Record<string, string>> = {
  timezone: "UTC",
  datestyle: "ISO, MDY",
  intervalstyle: "postgres",
  extra_float_digits: "1",
  bytea_output: "hex",
  standard_conforming_strings: "on",
  transform_null_equals: "off",
  array_nulls: "on",
  xmloption: "content",
  quote_all_identifiers: "off",
  default_transaction_isolation: "read committed",
  transaction_isolation: "read committed",
  default_transaction_read_only: "off",
  default_transaction_deferrable: "off",
  row_security: "on",
  gin_fuzzy_search_limit: "0",
  exit_on_error: "off",
  lock_timeout: "0",
  idle_in_transaction_session_timeout: "5s",
  idle_session_timeout: "0",
  synchronous_commit: "on",
  client_encoding: "UTF8",
  search_path: "public",
};

const setAll = (whose: string) =>
  Object.entries(UNUSUAL).map(
    ([name, value]) => `alter ${whose} set ${name} = ${name === "search_path" ? value : `'${value}'`}`,
  );

const settingsIn = async (session: Pick<DatabasePool["quick"], "query">) => {
  const { rows } = await session.query({
    text: "select name, current_setting(name) as value from unnest($1::text[]) as name",
    values: [Object.keys(RIGHT)],
  });
  return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
};

const CREATE = `mutation ($input: CreateInviteLinkInput!) {
  createInviteLink(input: $input) {
    ... on CreateInviteLinkSuccess { inviteLink { id name budget expireDate createdAt tags { name } } }
    ... on UserError { code message }
  }
}`;
const UPDATE = `mutation ($input: UpdateInviteLinkInput!) {
  updateInviteLink(input: $input) {
    ... on UpdateInviteLinkSuccess { inviteLink { budget expireDate } }
    ... on UserError { code message }
  }
}`;
const READ = `query ($id: ID!) {
  inviteLink(id: $id) { name budget expireDate createdAt tags { name } }
}`;

/** Creates, changes and reads a link through GraphQL and REST, and checks every time value. */
async function expectWorks(server: TestServer): Promise<void> {
  const before = Date.now();
  const created = await server.ask(CREATE, {
    input: {
      channelId: CHANNEL,
      name: "Ünüsual \\ 'quoted' 😀",
      budget: "12.50",
      expireDate: "2027-01-01T00:00:00Z",
      tagIds: [YOUTUBE],
    },
  });
  expect(created.errors).toBeUndefined();
  const { inviteLink } = created.data.createInviteLink;
  expect(inviteLink).toMatchObject({
    name: "Ünüsual \\ 'quoted' 😀",
    budget: "12.50",
    expireDate: "2027-01-01T00:00:00.000Z",
    tags: [{ name: "YouTube" }],
  });
  expect(Math.abs(Date.parse(inviteLink.createdAt) - before)).toBeLessThan(60_000);
  const updated = await server.ask(UPDATE, {
    input: { id: inviteLink.id, budget: "99.99", expireDate: "2027-06-30T23:59:59Z" },
  });
  expect(updated.errors).toBeUndefined();
  expect(updated.data.updateInviteLink.inviteLink).toEqual({
    budget: "99.99",
    expireDate: "2027-06-30T23:59:59.000Z",
  });
  const { data } = await server.ask(READ, { id: inviteLink.id });
  expect(data.inviteLink).toMatchObject({ budget: "99.99", expireDate: "2027-06-30T23:59:59.000Z" });
  const rest = await fetch(`${server.origin}/invite_links/all?channel_id=${CHANNEL}&limit=1`, {
    method: "POST",
    headers: { authorization: `Bearer ${server.token}` },
  });
  const page = (await rest.json()) as { items: { expire_date: string }[] };
  expect(Date.parse(page.items[0]?.expire_date ?? "")).toBe(Date.parse("2027-06-30T23:59:59Z"));
  const ready = await fetch(`${server.origin}/readyz`);
  expect(ready.status).toBe(200);
}

await describeOnForms("a database server with unusual defaults", ["server"], () => {
  let owned: OwnedDatabase;
  let server: TestServer | undefined;

  beforeAll(async () => {
    owned = await ownedDatabase();
  });
  afterEach(async () => {
    await server?.stop();
    server = undefined;
    await owned.asSuperuser(
      `alter role ${owned.role} reset all`,
      `alter database ${owned.name} reset all`,
      "drop schema public cascade",
      `create schema public authorization ${owned.role}`,
    );
  });
  afterAll(() => owned?.remove());

  it("works with unusual defaults of the role", async () => {
    await owned.asSuperuser(...setAll(`role ${owned.role}`));
    server = await startTestServer({ databaseUrl: owned.url }, "server");
    await expectWorks(server);
  });

  it("works with unusual defaults of the database", async () => {
    await owned.asSuperuser(...setAll(`database ${owned.name}`));
    server = await startTestServer({ databaseUrl: owned.url }, "server");
    await expectWorks(server);
  });

  it("works with a default statement timeout of one millisecond", async () => {
    await owned.asSuperuser(
      `alter role ${owned.role} set statement_timeout = 1`,
      `alter role ${owned.role} set client_min_messages = debug5`,
    );
    server = await startTestServer({ databaseUrl: owned.url }, "server");
    await expectWorks(server);
  });

  it("works with other settings in the address' options", async () => {
    const options = Object.entries(UNUSUAL)
      .map(([name, value]) => `-c ${name}=${value.replaceAll(" ", "\\ ")}`)
      .join(" ");
    const databaseUrl = owned.with((url) => {
      url.search = `?options=${encodeURIComponent(options)}&statement_timeout=1s&query_timeout=1&binary=true&connection_limit=1&pgbouncer=true&connect_timeout=1&application_name=other`;
    });
    server = await startTestServer({ databaseUrl }, "server");
    await expectWorks(server);
  });

  it("gives every kind of session the settings that the code relies on", async () => {
    await owned.asSuperuser(...setAll(`role ${owned.role}`));
    const pool = serverPool(owned.url, () => {});
    try {
      const pid = async () =>
        (await pool.quick.query({ text: "select current_setting('application_name') as name" })).rows[0].name;
      expect(await settingsIn(pool.pool)).toEqual(RIGHT);
      await expect.poll(pid).toBe(fastPaths.pipelinedSessions ? "invite-links pipeline" : "invite-links");
      expect(await settingsIn(pool.quick)).toEqual(RIGHT);
      const own = pool.dedicatedSession?.("invite-links test");
      await own?.connect();
      expect(own && (await settingsIn(own))).toEqual(RIGHT);
      await own?.end();
    } finally {
      await pool.close();
    }
  });

  it("keeps a stronger guarantee for commits", async () => {
    await owned.asSuperuser(`alter role ${owned.role} set synchronous_commit = remote_apply`);
    const pool = serverPool(owned.url, () => {});
    const { rows } = await pool.pool.query("select current_setting('synchronous_commit') as value");
    await pool.close();
    expect(rows).toEqual([{ value: "remote_apply" }]);
  });

  it("ends a usual statement after ten seconds and never one of a long read", async () => {
    const pool = serverPool(owned.url, () => {});
    const unlimited = serverPool(owned.url, () => {}, { unlimited: true });
    const timeout = async ({ pool: asked }: DatabasePool) =>
      (await asked.query("select current_setting('statement_timeout') as value")).rows[0].value;
    const values = [await timeout(pool), await timeout(unlimited)];
    await Promise.all([pool.close(), unlimited.close()]);
    expect(values).toEqual(["10s", "0"]);
  });

  it("replaces a session that was ended as idle before its settings were confirmed", async () => {
    await owned.asSuperuser(`alter role ${owned.role} set idle_session_timeout = '300ms'`);
    let opened = 0;
    const stream = () => {
      opened += 1;
      const socket = new Socket();
      // Simulates a process that is busy while its first session is being opened.
      if (opened === 1)
        socket.once("data", () => {
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
        });
      return socket;
    };
    const pool = new WaitingPool({
      ...sessionConfig(owned.url, "invite-links test"),
      stream,
      max: 1,
      answerTimeoutMs: null,
    });
    pool.on("error", () => {});
    try {
      const { rows } = await pool.query("select current_setting('idle_session_timeout') as value");
      expect(rows).toEqual([{ value: "0" }]);
      expect(opened).toBeGreaterThan(1);
    } finally {
      await pool.end();
    }
  });

  it("is refused in one line if triggers do not fire and the role may not change that", async () => {
    await owned.asSuperuser(`alter role ${owned.role} set session_replication_role = replica`);
    await expect(startTestServer({ databaseUrl: owned.url }, "server")).rejects.toThrow(
      /^DATABASE_URL: the role has an unusual default of session_replication_role [^\n]*$/,
    );
  });
});

await describeOnForms("an embedded database with unusual defaults", ["embedded"], (form) => {
  it("gives its session the settings that the code relies on", async () => {
    const prepared = await prepareTestDatabase(form);
    const first = await openPool(prepared);
    // The embedded PostgreSQL sets up encodings and connections differently.
    const { client_encoding: _encoding, ...unusual } = UNUSUAL;
    for (const [name, value] of Object.entries(unusual))
      await first.pool.query(
        `alter role postgres set ${name} = ${name === "search_path" ? value : `'${value}'`}`,
      );
    await first.close();
    const second = await openPool(prepared);
    try {
      expect(await settingsIn(second.pool)).toEqual({ ...RIGHT, idle_in_transaction_session_timeout: "0" });
    } finally {
      await second.close();
      await prepared.remove();
    }
  });
});

describe("the name of a prepared statement", () => {
  it("changes for all statements after one of them is outdated", () => {
    const names = new StatementNames("public");
    const [first, second] = [names.nameOf("tag_by_id", "select 1"), names.nameOf("tag_by_id", "select 2")];
    const outdated = Object.assign(new Error("outdated"), {
      code: "0A000",
      routine: "RevalidateCachedQuery",
    });
    expect(names.renewAfter(new Error("other"), "select 1", first)).toBe(false);
    expect(names.nameOf("tag_by_id", "select 1")).toBe(first);
    expect(names.renewAfter(outdated, "select 1", first)).toBe(true);
    const renewed = names.nameOf("tag_by_id", "select 1");
    expect(renewed).not.toBe(first);
    expect(names.renewAfter(outdated, "select 2", second)).toBe(true);
    expect(names.nameOf("tag_by_id", "select 1")).toBe(renewed);
    expect(names.nameOf("tag_by_id", "select 2")).not.toBe(second);
  });

  it("is the statement's name with a hash of only the text and the schema", () => {
    const [one, two] = [new StatementNames("public"), new StatementNames("public")];
    two.nameOf("tag_by_id", "select 2");
    const name = one.nameOf("tag_by_id", "select 1");
    expect(two.nameOf("tag_by_id", "select 1")).toBe(name);
    expect(name).toMatch(/^tag_by_id_[\w-]{12}$/);
    expect(one.nameOf("tag_by_id", "select 2")).not.toBe(name);
    expect(new StatementNames("other").nameOf("tag_by_id", "select 1")).not.toBe(name);
  });
});

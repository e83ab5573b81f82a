import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import sql, { type Sql } from "sql-template-tag";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Database } from "../../../src/database/database.js";
import { createDatabase } from "../../../src/database/database.js";
import { followMigration } from "../../../src/domain/channels/chatMigration.js";
import { callerOf, newChatId, noKnownCallers, storeChannel } from "../../domain/support.js";
import {
  ALL_FORMS,
  describeOnForms,
  openPool,
  openTestDatabase,
  type TestDatabase,
} from "../../support/databases.js";
import { testStatement } from "../../support/statement.js";
import {
  ADMIN_TOKEN,
  EventReader,
  type SubscriptionServer,
  startSubscriptionServer,
} from "./subscriptionServer.js";

/** How long a test polls for an expected state, which may take seconds on a busy machine. */
const PATIENCE = { timeout: 60_000, interval: 5 };
const COMPLETE = { event: "complete", data: null };

describe("a subscription over server-sent events", () => {
  let database: TestDatabase;
  let server: SubscriptionServer;
  beforeAll(async () => {
    database = await openTestDatabase("embedded");
  });
  afterAll(() => database.close());
  beforeEach(async () => {
    server = await startSubscriptionServer(database.database, false);
  });
  afterEach(() => server.close());

  const source = async (index = 0) => {
    await expect.poll(() => server.opened.pushed.length, PATIENCE).toBeGreaterThan(index);
    const opened = server.opened.pushed[index];
    if (!opened) throw new TypeError("A source is open.");
    return opened;
  };
  const requestLines = () => server.log.filter(({ msg }) => msg === "request");
  const requestLine = async () => {
    await expect.poll(() => requestLines().length, PATIENCE).toBe(1);
    return requestLines()[0];
  };

  test("a subscription sends each event when it happens and completes when its source ends", async () => {
    const response = await server.ask("subscription Count { numbers { value caller } }");
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const events = new EventReader(response);
    const numbers = await source();
    for (const value of [1, 2, 3]) {
      numbers.push(value);
      expect(await events.next()).toEqual({
        event: "next",
        data: { data: { numbers: { value, caller: "ADMIN_TOKEN" } } },
      });
    }
    numbers.push(null);
    expect(await events.rest()).toEqual([COMPLETE]);
  });

  test.each([
    "application/json, text/event-stream",
    "application/graphql-response+json, Text/Event-Stream;q=0.1, */*",
  ])(
    "a subscription is streamed to a client that accepts %s, and a query is answered in JSON",
    async (accept) => {
      const query = "subscription { numbers { value } }";
      const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, accept };
      const responses = [
        await server.ask(query, { accept }),
        await fetch(`${server.url}?${new URLSearchParams({ query })}`, { headers }),
      ];
      for (const [index, response] of responses.entries()) {
        expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
        (await source(index)).push(null);
        expect(await new EventReader(response).rest()).toEqual([COMPLETE]);
      }
      const single = await server.ask("{ __typename }", { accept });
      expect(single.headers.get("content-type")).toBe(`${accept.split(",")[0]}; charset=utf-8`);
      expect(await single.json()).toEqual({ data: { __typename: "Query" } });
    },
  );

  test("a subscription can be requested by GET", async () => {
    const response = await fetch(
      `${server.url}?${new URLSearchParams({ query: "subscription { numbers { value } }" })}`,
      { headers: { authorization: `Bearer ${ADMIN_TOKEN}`, accept: "text/event-stream" } },
    );
    const events = new EventReader(response);
    (await source()).push(7);
    expect((await events.next())?.data).toEqual({ data: { numbers: { value: 7 } } });
    (await source()).push(null);
    expect(await events.rest()).toEqual([COMPLETE]);
  });

  test("a mutation by GET over server-sent events is refused, and a query gives one result", async () => {
    const get = (query: string) =>
      fetch(`${server.url}?${new URLSearchParams({ query })}`, {
        headers: { authorization: `Bearer ${ADMIN_TOKEN}`, accept: "text/event-stream" },
      });
    const refused = await get("mutation { forge }");
    expect(refused.status).toBe(405);
    expect((await new EventReader(refused).rest())[0]?.data.errors[0].extensions.code).toBe(
      "METHOD_NOT_ALLOWED",
    );
    expect(await (await server.subscribe("{ caller }")).rest()).toEqual([
      { event: "next", data: { data: { caller: "ADMIN_TOKEN" } } },
      COMPLETE,
    ]);
  });

  test("a subscription executes each event with a new context, so that loaders read again", async () => {
    const events = await server.subscribe("subscription { numbers { hasOwnContext } }");
    const numbers = await source();
    for (const value of [1, 2]) {
      numbers.push(value);
      expect((await events.next())?.data).toEqual({ data: { numbers: { hasOwnContext: true } } });
    }
    numbers.push(null);
    await events.rest();
  });

  test("a subscription masks the errors of an event and continues", async () => {
    const events = await server.subscribe("subscription { numbers { value fails isForbidden } }");
    const numbers = await source();
    for (const value of [1, 2]) {
      numbers.push(value);
      const { data } = (await events.next()) ?? {};
      expect(data.data).toEqual({ numbers: { value, fails: null, isForbidden: null } });
      expect(data.errors).toEqual([
        {
          message: "Something went wrong on the server; the request's id leads to it in the log.",
          locations: expect.any(Array),
          path: ["numbers", "fails"],
          extensions: { code: "INTERNAL_SERVER_ERROR", requestId: expect.any(String) },
        },
        expect.objectContaining({
          message: "Not this number.",
          extensions: { code: "FORBIDDEN", requestId: expect.any(String) },
        }),
      ]);
    }
    numbers.push(null);
    expect(await events.rest()).toEqual([COMPLETE]);
    expect(server.log.filter(({ level }) => level === "error")).toHaveLength(2);
    expect((await requestLine())?.["codes"]).toEqual(["INTERNAL_SERVER_ERROR", "FORBIDDEN"]);
  });

  test("a subscription ends with a masked error when its source fails", async () => {
    const events = await server.subscribe("subscription { numbers { value } }");
    (await source()).push(new Error("connection to 10.0.0.5 refused"));
    const all = await events.rest();
    expect(all.map(({ event }) => event)).toEqual(["next", "complete"]);
    expect(all[0]?.data.errors[0].extensions.code).toBe("INTERNAL_SERVER_ERROR");
    expect(JSON.stringify(all)).not.toContain("10.0.0.5");
    expect(server.log.filter(({ level }) => level === "error")).toHaveLength(1);
  });

  test.each([
    ["typed", "FORBIDDEN", "Not this subscription."],
    ["unexpected", "INTERNAL_SERVER_ERROR", "Something went wrong"],
  ])(
    "a subscription gives one result when opening its source fails with an error that is %s",
    async (failure, code, message) => {
      const events = await server.subscribe(`subscription { numbers(failure: "${failure}") { value } }`);
      const all = await events.rest();
      expect(all).toEqual([
        {
          event: "next",
          data: {
            errors: [
              expect.objectContaining({
                message: expect.stringContaining(message),
                extensions: { code, requestId: expect.any(String) },
              }),
            ],
          },
        },
        COMPLETE,
      ]);
      expect(await requestLine()).toMatchObject({ operationType: "subscription", codes: [code] });
    },
  );

  test.each([
    ["depth", `{ numbers { ${"next { ".repeat(12)} value ${"} ".repeat(12)} } }`, "QUERY_TOO_DEEP"],
    ["cost", "{ numbers { list { list { list { value } } } } }", "QUERY_TOO_COSTLY"],
    ["tokens", `{ numbers { ${"value ".repeat(2000)} } }`, "QUERY_TOO_LONG"],
    ["nesting", `{ numbers { ${"next { ".repeat(70)} value ${"} ".repeat(70)} } }`, "QUERY_TOO_DEEP"],
    ["validity", "{ numbers { nothing } }", "GRAPHQL_VALIDATION_FAILED"],
    ["syntax", "{ numbers {", "GRAPHQL_PARSE_FAILED"],
    ["one field", "{ numbers { value } endless { value } }", "GRAPHQL_VALIDATION_FAILED"],
  ])(
    "a subscription is refused by the check of %s before its source is opened",
    async (_limit, selection, code) => {
      const all = await (await server.subscribe(`subscription ${selection}`)).rest();
      expect(all.map(({ event }) => event)).toEqual(["next", "complete"]);
      expect(all[0]?.data.errors[0].extensions.code).toBe(code);
      expect(all[0]?.data).not.toHaveProperty("data");
      expect(server.opened.pushed).toEqual([]);
    },
  );

  test("a subscription without a valid token is refused before any other check", async () => {
    const response = await server.ask("subscription { numbers { value } }", { token: "wrong" });
    expect(response.status).toBe(401);
    const { errors } = (await response.json()) as { errors: { extensions: { code: string } }[] };
    expect(errors[0]?.extensions.code).toBe("UNAUTHENTICATED");
    expect(server.opened.pushed).toEqual([]);
  });

  test.each([
    "application/json",
    "application/graphql-response+json",
    "*/*",
    "application/json, text/event-stream;q=0",
    "application/json, text/*",
  ])("a subscription is refused if the client accepts %s and not an event stream", async (accept) => {
    const response = await server.ask("subscription { numbers { value } }", { accept });
    expect(response.status).toBe(406);
    const { errors } = (await response.json()) as { errors: { extensions: { code: string } }[] };
    expect(errors[0]?.extensions.code).toBe("NOT_ACCEPTABLE");
    expect(server.opened.pushed).toEqual([]);
  });

  test("a subscription by HEAD is refused, because its response carries no stream", async () => {
    const response = await fetch(
      `${server.url}?${new URLSearchParams({ query: "subscription { numbers { value } }" })}`,
      { method: "HEAD", headers: { authorization: `Bearer ${ADMIN_TOKEN}`, accept: "text/event-stream" } },
    );
    expect(response.status).toBe(406);
    expect(await requestLine()).toMatchObject({ status: 406, codes: ["NOT_ACCEPTABLE"] });
    expect(server.opened.pushed).toEqual([]);
  });

  test("a subscription that has ended leaves one log line and one count in the metrics", async () => {
    const events = await server.subscribe("subscription Count { numbers { value } }");
    const numbers = await source();
    numbers.push(1);
    await events.next();
    await delay(50);
    expect(requestLines()).toEqual([]);
    numbers.push(null);
    await events.rest();
    expect(await requestLine()).toMatchObject({
      status: 200,
      caller: "admin",
      operationType: "subscription",
      operation: "Count",
    });
    expect((await requestLine())?.["ms"]).toBeGreaterThanOrEqual(50);
    const text = await server.metrics.registry.metrics();
    expect(text).toContain(
      'invite_links_graphql_operations_total{operation="Count",type="subscription",outcome="ok"} 1',
    );
    // How long a client stays is no duration of an answer.
    expect(text).not.toContain("invite_links_graphql_operation_duration_seconds_count{");
    expect(text).not.toContain("invite_links_http_request_duration_seconds_count{");
  });

  test("a subscription closes its source when the client leaves", async () => {
    const leaving = new AbortController();
    const events = await server.subscribe("subscription { numbers { value } }", ADMIN_TOKEN, leaving.signal);
    const numbers = await source();
    numbers.push(1);
    await events.next();
    leaving.abort();
    await expect.poll(() => numbers.isClosed, PATIENCE).toBe(true);
    expect(await requestLine()).toMatchObject({ status: 499, operationType: "subscription" });
  });

  test("a subscription ends without `complete` when the server closes, which does not wait for an event", async () => {
    const streams = await Promise.all(
      [1, 2].map(() => server.subscribe("subscription { numbers { value } }")),
    );
    await source(1);
    server.opened.pushed[0]?.push(1);
    await server.close();
    const rests = await Promise.all(streams.map((events) => events.rest()));
    expect(rests.flat().filter(({ event }) => event === "complete")).toEqual([]);
    expect(server.opened.pushed.map(({ isClosed }) => isClosed)).toEqual([true, true]);
    await expect.poll(() => requestLines().length, PATIENCE).toBe(2);
    expect(requestLines().map(({ operationType, status }) => [operationType, status])).toEqual([
      ["subscription", 200],
      ["subscription", 200],
    ]);
  });

  test("a mutation over server-sent events delivers its result while the server closes", async () => {
    const answer = server.subscribe("mutation { wait }");
    await expect.poll(() => server.opened.waiting.length, PATIENCE).toBe(1);
    const closed = server.close();
    await delay(100);
    server.opened.waiting[0]?.();
    expect(await (await answer).rest()).toEqual([{ event: "next", data: { data: { wait: 1 } } }, COMPLETE]);
    await closed;
  });

  test("a client that has stopped reading a subscription does not keep the server from closing", async () => {
    const { hostname, port, pathname } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    const query = encodeURIComponent("subscription { endless { text } }");
    socket.write(
      `GET ${pathname}?query=${query} HTTP/1.1\r\nHost: ${hostname}\r\nAccept: text/event-stream\r\n` +
        `Authorization: Bearer ${ADMIN_TOKEN}\r\n\r\n`,
    );
    const pulls = () => server.opened.endless[0]?.pulls ?? 0;
    for (let before = -1; before <= 0 || before !== pulls(); await delay(500)) before = pulls();
    await server.close();
    expect(server.opened.endless[0]?.isClosed).toBe(true);
    expect(await requestLine()).toMatchObject({ status: 499, operationType: "subscription" });
    socket.destroy();
  });

  test("a subscription reads no more events from its source than its client reads", async () => {
    const leaving = new AbortController();
    await server.ask("subscription { endless { text } }", { signal: leaving.signal });
    const pulls = () => server.opened.endless[0]?.pulls ?? 0;
    // The connection's buffers hold some megabytes. When they are full, the server requests no more events.
    for (let before = -1; before <= 0 || before !== pulls(); await delay(500)) before = pulls();
    expect(pulls()).toBeLessThan(500);
    leaving.abort();
    await expect.poll(() => server.opened.endless[0]?.isClosed, PATIENCE).toBe(true);
  });
});

await describeOnForms("the rights watch of streams", ALL_FORMS, (form) => {
  let database: TestDatabase;
  let second: Database | null = null;
  let server: SubscriptionServer;
  /** Another server on the same PostgreSQL, or the same server on the embedded database, which has only one. */
  let other: SubscriptionServer;
  beforeAll(async () => {
    database = await openTestDatabase(form);
    server = await startSubscriptionServer(database.database, form === "server");
    if (form === "server") {
      second = createDatabase(await openPool({ url: database.url, dataDir: null }));
      other = await startSubscriptionServer(second, true);
    } else other = server;
  });
  afterAll(async () => {
    await server.close();
    if (second !== null) await other.close();
    await second?.close();
    await database.close();
  });

  const open = async (secret: string) => {
    const before = server.opened.pushed.length;
    const events = await server.subscribe("subscription { numbers { value chatIds } }", secret);
    await expect.poll(() => server.opened.pushed.length, PATIENCE).toBe(before + 1);
    const source = server.opened.pushed[before];
    if (!source) throw new TypeError("A source is open.");
    return { events, source };
  };
  const endsWith = (code: string) => [
    {
      event: "next",
      data: {
        errors: [{ message: expect.any(String), extensions: { code, requestId: expect.any(String) } }],
      },
    },
    COMPLETE,
  ];
  const execute = (text: Sql) =>
    database.database.transaction((unit) => unit.execute(testStatement`${text}`));
  /** The rights watch's statements, which are reported when they have ended. */
  const checks = () => database.statements.filter(({ name }) => name === "token_rights_watch");

  test("a stream ends when its token is revoked on the same server", async () => {
    const { id, secret } = await server.makeToken("VIEWER");
    const { events, source } = await open(secret);
    await server.revoke(id);
    expect(await events.rest()).toEqual(endsWith("UNAUTHENTICATED"));
    expect(source.isClosed).toBe(true);
  });

  test("a stream ends when its token is revoked on another server", async () => {
    const { id, secret } = await server.makeToken("VIEWER");
    const { events, source } = await open(secret);
    source.push(1);
    expect((await events.next())?.data.data.numbers.value).toBe(1);
    await other.revoke(id);
    expect(await events.rest()).toEqual(endsWith("UNAUTHENTICATED"));
    expect((await server.ask("{ caller }", { token: secret })).status).toBe(401);
  });

  test("a stream ends with FORBIDDEN when its token gets a role with fewer rights", async () => {
    const { id, secret } = await server.makeToken("EDITOR");
    const { events } = await open(secret);
    await execute(sql`update api_token set role = 'VIEWER' where id = ${id}::uuid`);
    expect(await events.rest()).toEqual(endsWith("FORBIDDEN"));
  });

  test("a stream ends with FORBIDDEN when its token loses a channel", async () => {
    const { id, secret } = await server.makeToken("VIEWER", [-1001, -1002]);
    const { events } = await open(secret);
    await execute(sql`delete from channel_grant where token_id = ${id}::uuid and chat_id = -1002`);
    expect(await events.rest()).toEqual(endsWith("FORBIDDEN"));
  });

  test("a stream ends with FORBIDDEN when its token becomes limited to some channels", async () => {
    const { id, secret } = await server.makeToken("VIEWER");
    const { events } = await open(secret);
    await execute(sql`update api_token set all_channels = false where id = ${id}::uuid`);
    expect(await events.rest()).toEqual(endsWith("FORBIDDEN"));
  });

  test("a stream ends with UNAUTHENTICATED when its token's row is deleted", async () => {
    const { id, secret } = await server.makeToken("VIEWER");
    const { events } = await open(secret);
    await execute(sql`delete from api_token where id = ${id}::uuid`);
    expect(await events.rest()).toEqual(endsWith("UNAUTHENTICATED"));
  });

  test("a stream continues when its token gains rights and when another token is revoked", async () => {
    const { id, secret } = await server.makeToken("VIEWER", [-1001]);
    const stranger = await server.makeToken("VIEWER");
    const [{ events, source }, ended] = [await open(secret), await open(stranger.secret)];
    await execute(sql`insert into channel_grant (token_id, chat_id) values (${id}::uuid, -1003)`);
    await execute(sql`update api_token set role = 'EDITOR' where id = ${id}::uuid`);
    await other.revoke(stranger.id);
    expect(await ended.events.rest()).toEqual(endsWith("UNAUTHENTICATED"));
    source.push(5);
    source.push(null);
    expect((await events.rest()).map(({ event }) => event)).toEqual(["next", "complete"]);
  });

  test.each(["known", "unknown"])(
    "a stream outlives the migration of its token's chat to an id that is %s here, and ends when the token loses the chat",
    async (target) => {
      const { chatId } = await storeChannel(database.database);
      const to = target === "known" ? (await storeChannel(database.database)).chatId : newChatId();
      const { id, secret } = await server.makeToken("VIEWER", [chatId]);
      const { events, source } = await open(secret);
      const { database: ofServer } = database;
      await followMigration({ database: ofServer, callerCache: noKnownCallers }, callerOf(), chatId, to);
      const before = checks().length;
      // The next one may have begun before. The second one reads the migration, and is over when the third one begins.
      await expect.poll(() => checks().length, PATIENCE).toBeGreaterThanOrEqual(before + 3);
      source.push(1);
      const numbers = { value: 1, chatIds: [String(to)] };
      expect((await events.next())?.data).toEqual({ data: { numbers } });
      await execute(sql`delete from channel_grant where token_id = ${id}::uuid`);
      expect(await events.rest()).toEqual(endsWith("FORBIDDEN"));
    },
  );

  test("the rights watch checks all streams of a server with one statement", async () => {
    const tokens = [await server.makeToken("VIEWER"), await server.makeToken("EDITOR")];
    const streams = await Promise.all(
      [0, 1, 0, 1, 0].map((index) =>
        server.subscribe("subscription { numbers { value } }", tokens[index]?.secret),
      ),
    );
    database.statements.length = 0;
    const began = performance.now();
    await expect.poll(() => checks().length, PATIENCE).toBeGreaterThanOrEqual(3);
    // The rights watch sends one statement every half second for any number of streams. The first may have begun before.
    expect(checks().length).toBeLessThanOrEqual(2 + (performance.now() - began) / 500);
    for (const { id } of tokens) await other.revoke(id);
    for (const events of streams) expect(await events.rest()).toEqual(endsWith("UNAUTHENTICATED"));
  });

  test("the rights watch does not check streams of the ADMIN_TOKEN, which cannot be revoked", async () => {
    const { events, source } = await open(ADMIN_TOKEN);
    database.statements.length = 0;
    await delay(700);
    expect(checks()).toEqual([]);
    source.push(null);
    expect(await events.rest()).toEqual([COMPLETE]);
  });
});

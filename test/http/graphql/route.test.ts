import { once } from "node:events";
import { connect } from "node:net";
import { getIntrospectionQuery } from "graphql";
import { serverAudits } from "graphql-http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CHANNEL, startTestServer, type TestServer } from "../../support/server.js";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ corsOrigins: ["https://app.example"] });
});
afterAll(() => server.stop());

const send = (init: RequestInit & { headers?: Record<string, string> } = {}, path = "/graphql") =>
  fetch(`${server.origin}${path}`, {
    method: "POST",
    ...init,
    headers: { authorization: `Bearer ${server.token}`, ...init.headers },
  });
const post = (body: unknown, headers: Record<string, string> = {}) =>
  send({
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
const refusalOf = async (response: Response) => {
  const { errors, data } = (await response.json()) as {
    errors: { extensions: { code: string; requestId: string } }[];
    data?: unknown;
  };
  expect(data).toBeUndefined();
  expect(errors[0]?.extensions.requestId).toBe(response.headers.get("x-request-id"));
  return [response.status, errors[0]?.extensions.code];
};
const FORGED_MUTATION = `mutation { createTagType(input: { name: "Forged" }) { __typename } }`;
const typeNames = async () =>
  (await server.ask("{ tagTypes { name } }")).data.tagTypes.map(({ name }: { name: string }) => name);

describe("GraphQL over HTTP", () => {
  for (const audit of serverAudits({
    url: () => server.url,
    fetchFn: (url: string, init?: RequestInit) =>
      fetch(url, {
        ...init,
        headers: { ...(init?.headers as object), authorization: `Bearer ${server.token}` },
      }),
  })) {
    test(`the GraphQL endpoint passes the audit of GraphQL over HTTP: ${audit.name}`, async () => {
      const result = await audit.fn();
      // An audit of an optional behaviour gives a notice, which is not a failure.
      if (result.status === "notice") return;
      expect(result).toMatchObject({ status: "ok" });
    });
  }
});

describe("authentication of GraphQL requests", () => {
  test.each([
    ["no Authorization header", null],
    ["another scheme", "Basic YTpi"],
    ["a wrong token", "Bearer wrong"],
    ["an empty token", "Bearer "],
    ["two tokens", "Bearer a b"],
  ])("a GraphQL request with %s gets a 401 before its body is examined", async (_what, authorization) => {
    const response = await fetch(server.url, {
      method: "POST",
      headers: { "content-type": "application/json", ...(authorization === null ? {} : { authorization }) },
      body: JSON.stringify({ query: getIntrospectionQuery() }),
    });
    expect(response.headers.get("www-authenticate")).toContain("Bearer");
    expect(await refusalOf(response)).toEqual([401, "UNAUTHENTICATED"]);
  });

  test("introspection is allowed with a valid token", async () => {
    const response = await post({ query: getIntrospectionQuery() });
    expect(((await response.json()) as { data: { __schema: object } }).data.__schema).toBeTruthy();
  });
});

describe("forged requests", () => {
  test.each([
    [
      "a form",
      "application/x-www-form-urlencoded",
      new URLSearchParams({ query: FORGED_MUTATION }).toString(),
    ],
    [
      "a multipart form",
      "multipart/form-data; boundary=b",
      `--b\r\nContent-Disposition: form-data; name="operations"\r\n\r\n${JSON.stringify({ query: FORGED_MUTATION })}\r\n--b--`,
    ],
    ["plain text", "text/plain", JSON.stringify({ query: FORGED_MUTATION })],
    ["a bare GraphQL document", "application/graphql", FORGED_MUTATION],
  ])("a request whose body is %s executes no operation", async (_what, type, body) => {
    expect(await refusalOf(await send({ headers: { "content-type": type }, body }))).toEqual([
      415,
      "UNSUPPORTED_MEDIA_TYPE",
    ]);
    expect(await typeNames()).not.toContain("Forged");
  });

  test("a GET request executes queries and no mutations", async () => {
    const get = (query: string) => send({ method: "GET" }, `/graphql?${new URLSearchParams({ query })}`);
    expect(await (await get("{ viewer { name } }")).json()).toEqual({
      data: { viewer: { name: "Sandbox" } },
    });
    const response = await get(FORGED_MUTATION);
    expect(response.headers.get("allow")).toBe("POST");
    expect(await refusalOf(response)).toEqual([405, "METHOD_NOT_ALLOWED"]);
    expect(await typeNames()).not.toContain("Forged");
    expect(await refusalOf(await send({ method: "PUT" }))).toEqual([405, "METHOD_NOT_ALLOWED"]);
  });

  test("a page of another origin may read responses only if CORS_ORIGINS names its origin", async () => {
    // The headers that GraphQL clients and tracing add to a request.
    const requestedHeaders = "apollographql-client-name,authorization,content-type,traceparent";
    const preflight = (origin: string) =>
      fetch(server.url, {
        method: "OPTIONS",
        headers: {
          origin,
          "access-control-request-method": "POST",
          "access-control-request-headers": requestedHeaders,
        },
      });
    const allowed = await preflight("https://app.example");
    expect([allowed.status, allowed.headers.get("access-control-allow-origin")]).toEqual([
      204,
      "https://app.example",
    ]);
    expect(allowed.headers.get("access-control-allow-headers")).toBe(requestedHeaders);
    expect(allowed.headers.get("access-control-allow-credentials")).toBeNull();
    expect((await preflight("https://evil.example")).headers.get("access-control-allow-origin")).not.toBe(
      "https://evil.example",
    );
    const answer = await post({ query: "{ viewer { name } }" }, { origin: "https://evil.example" });
    expect(answer.headers.get("access-control-allow-origin")).not.toBe("https://evil.example");
  });
});

describe("limits on GraphQL requests", () => {
  const nested = (levels: number) =>
    `{ tag(id: "x") { ${"inviteLinks(first: 1) { nodes { tags { ".repeat(levels)} name ${"} } }".repeat(levels)} } }`;
  test.each([
    ["batching", [{ query: "{ viewer { name } }" }], "BAD_REQUEST"],
    ["depth", { query: nested(5) }, "QUERY_TOO_DEEP"],
    [
      "aliases",
      { query: `{ ${Array.from({ length: 31 }, (_, index) => `a${index}: viewer { name }`).join(" ")} }` },
      "QUERY_TOO_MANY_ALIASES",
    ],
    ["directives", { query: `{ viewer { name ${"@unknown ".repeat(5)} } }` }, "QUERY_TOO_MANY_DIRECTIVES"],
    ["tokens", { query: `{ ${"viewer { name } ".repeat(600)} }` }, "QUERY_TOO_LONG"],
    [
      "cost",
      {
        query: `{ tags(channelId: ${CHANNEL}, first: 100) { nodes { inviteLinks(first: 100) { nodes { name url budget } } } } }`,
      },
      "QUERY_TOO_COSTLY",
    ],
    [
      "cost that depends on a variable",
      {
        query: `query ($n: Int) { tags(channelId: ${CHANNEL}, first: $n) { nodes { inviteLinks(last: $n) { edges { node { name url budget } } } } } }`,
        variables: { n: 100 },
      },
      "QUERY_TOO_COSTLY",
    ],
    [
      "cost through fragments",
      {
        query: `query { ...a ...a } fragment a on Query { ...c ...c } fragment c on Query { tags(channelId: ${CHANNEL}, first: 100) { nodes { inviteLinks(first: 100) { totalCount nodes { id } } } } }`,
      },
      "QUERY_TOO_COSTLY",
    ],
    [
      "a cycle of fragments",
      { query: "query { ...a } fragment a on Query { ...b } fragment b on Query { ...a }" },
      "GRAPHQL_VALIDATION_FAILED",
    ],
  ])("a request that violates a limit is refused before execution: %s", async (_what, body, code) => {
    const ofRequests = () =>
      server.log.filter(({ msg, requestId }) => msg === "sql" && requestId !== undefined).length;
    const before = ofRequests();
    const [status, actual] = await refusalOf(await post(body));
    expect([status === 200 || status === 400, actual]).toEqual([true, code]);
    // Only the caller was read from the database.
    expect(ofRequests() - before).toBeLessThanOrEqual(2);
  });

  test("the cost of an operation is computed anew for other variables", async () => {
    const query = `query ($n: Int = 100, $m: [ID!] = []) { tags(channelId: ${CHANNEL}, first: $n) { nodes {
      inviteLinks(last: $n) { edges { node { name url budget } } } } } nodes(ids: $m) { id } }`;
    const codeOf = async (variables: object) =>
      (await server.ask(query, variables)).errors?.[0]?.extensions.code ?? "ok";
    for (const _time of [1, 2]) {
      expect(await codeOf({ n: null })).toBe("ok");
      expect(await codeOf({ n: 100 })).toBe("QUERY_TOO_COSTLY");
      expect(await codeOf({})).toBe("QUERY_TOO_COSTLY");
      expect(await codeOf({ n: 1 })).toBe("ok");
    }
  });

  test("a page size above the limit is refused with the name of its argument", async () => {
    const { errors } = await server.ask(
      `{ inviteLinks(channelId: ${CHANNEL}, first: 300000) { nodes { id name } } }`,
    );
    expect(errors?.[0]?.extensions).toMatchObject({
      code: "BAD_USER_INPUT",
      fieldErrors: [{ field: "first" }],
    });
  });

  test("a large body without a token is refused with a 401", async () => {
    const headers = { "content-type": "text/plain", authorization: "" };
    expect(await refusalOf(await send({ headers, body: "x".repeat(1_100_000) }))).toEqual([
      401,
      "UNAUTHENTICATED",
    ]);
  });

  test("a body that is too large is refused with a 413", async () => {
    expect(
      await refusalOf(await post({ query: "{ viewer { name } }", variables: { a: "x".repeat(1_100_000) } })),
    ).toEqual([413, "PAYLOAD_TOO_LARGE"]);
  });

  test.each([
    ["a body that is not JSON", "{", [400, "BAD_REQUEST"]],
    ["an empty body", "", [400, "BAD_REQUEST"]],
    ["a body that is not an object", '"x"', [400, "BAD_REQUEST"]],
    ["a body without a query", "{}", [400, "BAD_REQUEST"]],
    ["a query that cannot be parsed", '{"query":"{"}', [200, "GRAPHQL_PARSE_FAILED"]],
    ["an unknown field", '{"query":"{ nope }"}', [200, "GRAPHQL_VALIDATION_FAILED"]],
    [
      "an invalid value in the document",
      `{"query":"{ channel(telegramId: 1.5) { id } }"}`,
      [200, "BAD_USER_INPUT"],
    ],
    ["a missing variable", `{"query":"query ($id: ID!) { tag(id: $id) { id } }"}`, [200, "BAD_USER_INPUT"]],
    [
      "the name of a missing operation",
      `{"query":"query A { viewer { name } }","operationName":"B"}`,
      [200, "GRAPHQL_VALIDATION_FAILED"],
    ],
  ])("a GraphQL request with %s is refused with the matching code", async (_what, body, expected) => {
    expect(await refusalOf(await post(body))).toEqual(expected);
  });

  test("a query for a full page of links with all their fields is accepted", async () => {
    const { errors } = await server.ask(`{
      inviteLinks(channelId: ${CHANNEL}, first: 100) {
        totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
        edges { cursor node { id name url budget createsJoinRequest expireDate memberLimit creatorId isBotCreated isRevoked isExpired
          createdAt updatedAt channelId channel { id title currency } subscription { priceStars }
          tags { id name color type { id name } } } }
      }
    }`);
    expect(errors).toBeUndefined();
  });
});

describe("responses of the server", () => {
  test("a request that accepts no media type of results is refused and not executed", async () => {
    for (const accept of ["image/png", "application/json;q=0"]) {
      const response = await post({ query: FORGED_MUTATION }, { accept });
      expect(await refusalOf(response)).toEqual([406, "NOT_ACCEPTABLE"]);
    }
    expect(await typeNames()).not.toContain("Forged");
    const response = await post(
      { query: "{ viewer { name } }" },
      { accept: "image/png, application/*;q=0.5" },
    );
    expect(response.status).toBe(200);
  });

  test("a response does not depend on the Host header", async () => {
    const { request } = await import("node:http");
    const { port } = new URL(server.origin);
    for (const host of ["a b", "[::1", "localhost:99999", "@", "%00"]) {
      const body = await new Promise<string>((resolve, reject) => {
        const headers = { host, authorization: `Bearer ${server.token}`, "content-type": "APPLICATION/JSON" };
        const sent = request(
          { port, host: "127.0.0.1", path: "/graphql", method: "POST", headers },
          (response) => {
            let text = "";
            response.on("data", (chunk) => (text += chunk)).on("end", () => resolve(text));
          },
        );
        sent.on("error", reject).end(`{"query":"{ viewer { name } }"}`);
      });
      expect(body).toBe(`{"data":{"viewer":{"name":"Sandbox"}}}`);
    }
  });

  test("a request with very many invalid values is refused with a limited number of errors", async () => {
    const nulls = Array.from({ length: 200_000 }, () => null);
    const query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    expect(await refusalOf(await post({ query, variables: { ids: nulls } }))).toEqual([
      200,
      "BAD_USER_INPUT",
    ]);
    const many = await server.ask(query, { ids: Array.from({ length: 1001 }, () => server.token) });
    expect(many.errors?.[0]?.extensions.code).toBe("BAD_USER_INPUT");
    const filtered = await server.ask(
      `query ($ids: [ID!]) { inviteLinks(channelId: ${CHANNEL}, filter: { ids: $ids }) { totalCount } }`,
      { ids: Array.from({ length: 9000 }, () => "x") },
    );
    expect(filtered.errors?.[0]?.extensions["fieldErrors"]).toHaveLength(20);
  });

  test("a response carries the client's request id if it is valid and a new id otherwise", async () => {
    const id = async (given: string) =>
      (await post({ query: "{ viewer { name } }" }, { "x-request-id": given })).headers.get("x-request-id");
    expect(await id("mine-1")).toBe("mine-1");
    expect(await id("x".repeat(101))).toMatch(/^[0-9a-f-]{36}$/);
    expect(server.log).toContainEqual(
      expect.objectContaining({ msg: "request", requestId: "mine-1", status: 200, path: "/graphql" }),
    );
  });

  test("the health and readiness endpoints report the state of each part", async () => {
    expect(await (await fetch(`${server.origin}/healthz`)).json()).toEqual({ status: "ok" });
    const ready = await fetch(`${server.origin}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([
      200,
      {
        status: "ok",
        database: "ok",
        migrations: "ok",
        telegram: "sandbox",
        updates: {
          transport: "polling",
          isPolling: true,
          pollingServer: expect.any(String),
          lagSeconds: null,
          setAside: 0,
          gaps: 0,
          conflict: false,
          holds: [],
        },
      },
    ]);
    expect((await fetch(`${server.origin}/nothing`)).status).toBe(404);
  });
});

describe("GraphiQL", () => {
  const page = (headers: Record<string, string> = {}) =>
    fetch(server.url, { headers: { accept: "text/html", ...headers } }).then((response) => response.text());

  test("GraphiQL has the sandbox's token for a local request and loads nothing from the internet", async () => {
    const text = await page();
    expect(text).toContain(server.token);
    expect(text).not.toMatch(/<(script|link)[^>]+(src|href)="?https?:/);
  });

  test("GraphiQL is served without the token if the Host header does not name a loopback address", async () => {
    const { request } = await import("node:http");
    const { port } = new URL(server.origin);
    const pageOnHost = (host: string) =>
      new Promise<string>((resolve, reject) => {
        request(
          { port, host: "127.0.0.1", path: "/graphql", headers: { accept: "text/html", host } },
          (response) => {
            let text = "";
            response.on("data", (chunk) => (text += chunk)).on("end", () => resolve(text));
          },
        )
          .on("error", reject)
          .end();
      });
    expect(await pageOnHost(`localhost:${port}`)).toContain(server.token);
    for (const host of [
      "evil.example",
      "127.0.0.1.evil.example",
      `evil.example:${port}`,
      "127.evil.example",
    ]) {
      const text = await pageOnHost(host);
      expect(text).toContain("GraphiQL");
      expect(text).not.toContain(server.token);
    }
  });

  test("GraphiQL's example queries succeed without a change", async () => {
    const tabs = /"defaultTabs":(\[.*?\]),"defaultQuery"/s.exec(await page())?.[1];
    const queries = (JSON.parse(tabs ?? "[]") as { query: string }[]).map(({ query }) => query);
    // The tests in a browser run the subscription.
    const isSubscription = (query: string) => /^subscription /m.test(query);
    expect(queries.filter(isSubscription)).toHaveLength(1);
    const others = queries.filter((query) => !isSubscription(query));
    expect(others).toHaveLength(14);
    for (const query of others) {
      const { data, errors } = await server.ask(query);
      expect(errors).toBeUndefined();
      if (data.createInviteLink) expect(data.createInviteLink.__typename).toBe("CreateInviteLinkSuccess");
    }
  });
});

describe("in production", () => {
  test("a production server suggests no names in errors and serves no GraphiQL page", async () => {
    const strict = await startTestServer({
      production: true,
      graphiql: false,
      adminToken: "an-admin-token-of-my-own",
    });
    const { errors } = await strict.ask("{ viewer { nam } tagTyps { id } }");
    expect(errors?.map(({ message }) => message)).toEqual([
      'Cannot query field "nam" on type "Viewer".',
      'Cannot query field "tagTyps" on type "Query".',
    ]);
    const enumeration = await strict.ask(
      `query ($o: [InviteLinkOrder!]) { inviteLinks(channelId: ${CHANNEL}, orderBy: $o) { totalCount } }`,
      { o: [{ field: "NAM" }] },
    );
    expect(enumeration.errors?.[0]?.message).not.toContain("NAME");
    expect((await fetch(strict.url, { headers: { accept: "text/html" } })).status).toBe(401);
    await strict.stop();
  });
});

describe("the drain of GraphQL requests", () => {
  test("the drain stores the link of a client that has left", async () => {
    const ending = await startTestServer();
    const release = ending.sandbox.control.hold({ method: "createChatInviteLink" });
    const called = ending.sandbox.control.nextCall("createChatInviteLink");
    const clientAbort = new AbortController();
    const answer = fetch(ending.url, {
      method: "POST",
      signal: clientAbort.signal,
      headers: { "content-type": "application/json", authorization: `Bearer ${ending.token}` },
      body: JSON.stringify({
        query: `mutation { createInviteLink(input: { channelId: ${CHANNEL}, name: "Left" }) { __typename } }`,
      }),
    });
    await called;
    clientAbort.abort();
    await expect(answer).rejects.toThrow();
    const before = ending.log.length;
    const stopped = ending.stop();
    release();
    await stopped;
    expect(ending.log.slice(before).map(({ statement }) => statement)).toContain("link_insert_created");
    expect(ending.log.filter(({ level }) => level === "fatal")).toEqual([]);
  });

  test("the drain does not wait for clients that have left or for connections without a request", async () => {
    const ending = await startTestServer();
    const release = ending.sandbox.control.hold({ method: "createChatInviteLink" });
    const called = ending.sandbox.control.nextCall("createChatInviteLink");
    const clientAbort = new AbortController();
    const make = `mutation { createInviteLink(input: { channelId: ${CHANNEL}, name: "Hung up" }) { __typename } }`;
    const pendingResponse = fetch(ending.url, {
      method: "POST",
      headers: { authorization: `Bearer ${ending.token}`, "content-type": "application/json" },
      body: JSON.stringify({ query: make }),
      signal: clientAbort.signal,
    });
    await called;
    clientAbort.abort();
    await expect(pendingResponse).rejects.toThrow("aborted");
    const silent = connect(Number(new URL(ending.origin).port), "127.0.0.1");
    await once(silent, "connect");
    // The test would time out if the server waited for the silent connection.
    const stopped = ending.stop();
    release();
    await stopped;
    silent.destroy();
  });

  test("the drain answers pending requests and refuses new connections", async () => {
    const ending = await startTestServer();
    const release = ending.sandbox.control.hold({ method: "createChatInviteLink" });
    const called = ending.sandbox.control.nextCall("createChatInviteLink");
    const answer = ending.ask(
      `mutation { createInviteLink(input: { channelId: ${CHANNEL}, name: "Late" }) { __typename } }`,
    );
    await called;
    const stopped = ending.stop();
    release();
    expect((await answer).data.createInviteLink.__typename).toBe("CreateInviteLinkSuccess");
    await stopped;
    await expect(fetch(`${ending.origin}/healthz`)).rejects.toThrow();
  });
});

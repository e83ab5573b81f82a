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
const refused = async (response: Response) => {
  const { errors, data } = (await response.json()) as {
    errors: { extensions: { code: string; requestId: string } }[];
    data?: unknown;
  };
  expect(data).toBeUndefined();
  expect(errors[0]?.extensions.requestId).toBe(response.headers.get("x-request-id"));
  return [response.status, errors[0]?.extensions.code];
};
const MAKE = `mutation { createTagType(input: { name: "Forged" }) { __typename } }`;
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
    test(audit.name, async () => {
      const result = await audit.fn();
      // What the specification only allows is a notice.
      if (result.status === "notice") return;
      expect(result).toMatchObject({ status: "ok" });
    });
  }
});

describe("who is calling", () => {
  test.each([
    ["nothing", null],
    ["another scheme", "Basic YTpi"],
    ["a wrong token", "Bearer wrong"],
    ["no token", "Bearer "],
    ["two", "Bearer a b"],
  ])("%s is a 401, before anything else is said", async (_what, authorization) => {
    const response = await fetch(server.url, {
      method: "POST",
      headers: { "content-type": "application/json", ...(authorization === null ? {} : { authorization }) },
      body: JSON.stringify({ query: getIntrospectionQuery() }),
    });
    expect(response.headers.get("www-authenticate")).toContain("Bearer");
    expect(await refused(response)).toEqual([401, "UNAUTHENTICATED"]);
  });

  test("introspection is for a valid token", async () => {
    const response = await post({ query: getIntrospectionQuery() });
    expect(((await response.json()) as { data: { __schema: object } }).data.__schema).toBeTruthy();
  });
});

describe("forged requests", () => {
  test.each([
    ["a form", "application/x-www-form-urlencoded", new URLSearchParams({ query: MAKE }).toString()],
    [
      "a multipart form",
      "multipart/form-data; boundary=b",
      `--b\r\nContent-Disposition: form-data; name="operations"\r\n\r\n${JSON.stringify({ query: MAKE })}\r\n--b--`,
    ],
    ["plain text", "text/plain", JSON.stringify({ query: MAKE })],
    ["a document", "application/graphql", MAKE],
  ])("%s carries no operation", async (_what, type, body) => {
    expect(await refused(await send({ headers: { "content-type": type }, body }))).toEqual([
      415,
      "UNSUPPORTED_MEDIA_TYPE",
    ]);
    expect(await typeNames()).not.toContain("Forged");
  });

  test("a GET carries queries alone", async () => {
    const get = (query: string) => send({ method: "GET" }, `/graphql?${new URLSearchParams({ query })}`);
    expect(await (await get("{ viewer { name } }")).json()).toEqual({
      data: { viewer: { name: "Sandbox" } },
    });
    const response = await get(MAKE);
    expect(response.headers.get("allow")).toBe("POST");
    expect(await refused(response)).toEqual([405, "METHOD_NOT_ALLOWED"]);
    expect(await typeNames()).not.toContain("Forged");
    expect(await refused(await send({ method: "PUT" }))).toEqual([405, "METHOD_NOT_ALLOWED"]);
  });

  test("a browser elsewhere is answered only where CORS_ORIGINS names its page", async () => {
    // What GraphQL clients and tracing add to a request of theirs.
    const asked = "apollographql-client-name,authorization,content-type,traceparent";
    const preflight = (origin: string) =>
      fetch(server.url, {
        method: "OPTIONS",
        headers: {
          origin,
          "access-control-request-method": "POST",
          "access-control-request-headers": asked,
        },
      });
    const allowed = await preflight("https://app.example");
    expect([allowed.status, allowed.headers.get("access-control-allow-origin")]).toEqual([
      204,
      "https://app.example",
    ]);
    expect(allowed.headers.get("access-control-allow-headers")).toBe(asked);
    expect(allowed.headers.get("access-control-allow-credentials")).toBeNull();
    expect((await preflight("https://evil.example")).headers.get("access-control-allow-origin")).not.toBe(
      "https://evil.example",
    );
    const answer = await post({ query: "{ viewer { name } }" }, { origin: "https://evil.example" });
    expect(answer.headers.get("access-control-allow-origin")).not.toBe("https://evil.example");
  });
});

describe("limits, each before execution and with a code", () => {
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
    ["tokens", { query: `{ ${"viewer { name } ".repeat(600)} }` }, "QUERY_TOO_LONG"],
    [
      "cost",
      {
        query: `{ tags(channelId: ${CHANNEL}, first: 100) { nodes { inviteLinks(first: 100) { nodes { name url budget } } } } }`,
      },
      "QUERY_TOO_COSTLY",
    ],
    [
      "cost, by a variable",
      {
        query: `query ($n: Int) { tags(channelId: ${CHANNEL}, first: $n) { nodes { inviteLinks(last: $n) { edges { node { name url budget } } } } } }`,
        variables: { n: 100 },
      },
      "QUERY_TOO_COSTLY",
    ],
    [
      "cost, through fragments",
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
  ])("%s", async (_what, body, code) => {
    const before = server.log.filter(({ msg }) => msg === "sql").length;
    const [status, said] = await refused(await post(body));
    expect([status === 200 || status === 400, said]).toEqual([true, code]);
    // Only who is calling was looked up.
    expect(server.log.filter(({ msg }) => msg === "sql").length - before).toBeLessThanOrEqual(2);
  });

  test("what an operation costs is not taken for what it costs with other variables", async () => {
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

  test("a size of a page is refused for what it is", async () => {
    const { errors } = await server.ask(
      `{ inviteLinks(channelId: ${CHANNEL}, first: 300000) { nodes { id name } } }`,
    );
    expect(errors?.[0]?.extensions).toMatchObject({
      code: "BAD_USER_INPUT",
      fieldErrors: [{ field: "first" }],
    });
  });

  test("nothing is kept of a body without a token", async () => {
    const headers = { "content-type": "text/plain", authorization: "" };
    expect(await refused(await send({ headers, body: "x".repeat(1_100_000) }))).toEqual([
      401,
      "UNAUTHENTICATED",
    ]);
  });

  test("a body that is too large is not read", async () => {
    expect(
      await refused(await post({ query: "{ viewer { name } }", variables: { a: "x".repeat(1_100_000) } })),
    ).toEqual([413, "PAYLOAD_TOO_LARGE"]);
  });

  test.each([
    ["no JSON", "{", [400, "BAD_REQUEST"]],
    ["nothing", "", [400, "BAD_REQUEST"]],
    ["no object", '"x"', [400, "BAD_REQUEST"]],
    ["no query", "{}", [400, "BAD_REQUEST"]],
    ["a query that is none", '{"query":"{"}', [200, "GRAPHQL_PARSE_FAILED"]],
    ["an unknown field", '{"query":"{ nope }"}', [200, "GRAPHQL_VALIDATION_FAILED"]],
    ["a value in the document", `{"query":"{ channel(telegramId: 1.5) { id } }"}`, [200, "BAD_USER_INPUT"]],
    ["a missing variable", `{"query":"query ($id: ID!) { tag(id: $id) { id } }"}`, [200, "BAD_USER_INPUT"]],
    [
      "an operation that is not there",
      `{"query":"query A { viewer { name } }","operationName":"B"}`,
      [200, "GRAPHQL_VALIDATION_FAILED"],
    ],
  ])("%s", async (_what, body, expected) => {
    expect(await refused(await post(body))).toEqual(expected);
  });

  test("wide but honest queries are taken", async () => {
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

describe("answers", () => {
  test("that nobody could read are not worked for", async () => {
    for (const accept of ["image/png", "application/json;q=0"]) {
      const response = await post({ query: MAKE }, { accept });
      expect(await refused(response)).toEqual([406, "NOT_ACCEPTABLE"]);
    }
    expect(await typeNames()).not.toContain("Forged");
    const response = await post(
      { query: "{ viewer { name } }" },
      { accept: "image/png, application/*;q=0.5" },
    );
    expect(response.status).toBe(200);
  });

  test("do not depend on what is in the Host header", async () => {
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

  test("to a great many wrong values come as soon as those to one", async () => {
    const nulls = Array.from({ length: 200_000 }, () => null);
    const query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    expect(await refused(await post({ query, variables: { ids: nulls } }))).toEqual([200, "BAD_USER_INPUT"]);
    const many = await server.ask(query, { ids: Array.from({ length: 1001 }, () => server.token) });
    expect(many.errors?.[0]?.extensions.code).toBe("BAD_USER_INPUT");
    const filtered = await server.ask(
      `query ($ids: [ID!]) { inviteLinks(channelId: ${CHANNEL}, filter: { ids: $ids }) { totalCount } }`,
      { ids: Array.from({ length: 9000 }, () => "x") },
    );
    expect(filtered.errors?.[0]?.extensions["fieldErrors"]).toHaveLength(20);
  });

  test("carry the caller's request id where it is fit to be one, else their own", async () => {
    const id = async (given: string) =>
      (await post({ query: "{ viewer { name } }" }, { "x-request-id": given })).headers.get("x-request-id");
    expect(await id("mine-1")).toBe("mine-1");
    expect(await id("x".repeat(101))).toMatch(/^[0-9a-f-]{36}$/);
    expect(server.log).toContainEqual(
      expect.objectContaining({ msg: "request", requestId: "mine-1", status: 200, path: "/graphql" }),
    );
  });

  test("health and readiness name each part", async () => {
    expect(await (await fetch(`${server.origin}/healthz`)).json()).toEqual({ status: "ok" });
    const ready = await fetch(`${server.origin}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([
      200,
      {
        status: "ok",
        database: "ok",
        migrations: "ok",
        telegram: "sandbox",
        updates: { holds: [] },
      },
    ]);
    expect((await fetch(`${server.origin}/nothing`)).status).toBe(404);
  });
});

describe("GraphiQL", () => {
  const page = (headers: Record<string, string> = {}) =>
    fetch(server.url, { headers: { accept: "text/html", ...headers } }).then((response) => response.text());

  test("has the sandbox's token on this machine, and needs nothing from the internet", async () => {
    const text = await page();
    expect(text).toContain(server.token);
    expect(text).not.toMatch(/<(script|link)[^>]+(src|href)="?https?:/);
  });

  test("is open, but without the token where a name that is not loopback led here", async () => {
    const { request } = await import("node:http");
    const { port } = new URL(server.origin);
    const asked = (host: string) =>
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
    expect(await asked(`localhost:${port}`)).toContain(server.token);
    for (const host of [
      "evil.example",
      "127.0.0.1.evil.example",
      `evil.example:${port}`,
      "127.evil.example",
    ]) {
      const text = await asked(host);
      expect(text).toContain("GraphiQL");
      expect(text).not.toContain(server.token);
    }
  });

  test("its example queries work as they stand", async () => {
    const tabs = /"defaultTabs":(\[.*?\]),"defaultQuery"/s.exec(await page())?.[1];
    const queries = (JSON.parse(tabs ?? "[]") as { query: string }[]).map(({ query }) => query);
    expect(queries).toHaveLength(4);
    for (const query of queries) {
      const { data, errors } = await server.ask(query);
      expect(errors).toBeUndefined();
      if (data.createInviteLink) expect(data.createInviteLink.__typename).toBe("CreateInviteLinkSuccess");
    }
  });
});

describe("in production", () => {
  test("nothing is suggested, and no page is served", async () => {
    const strict = await startTestServer({
      production: true,
      graphiql: false,
      adminToken: "an-admin-token-of-mine",
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

describe("stopping", () => {
  test("stores the link of a client that has gone", async () => {
    const ending = await startTestServer();
    const release = ending.sandbox.control.hold({ method: "createChatInviteLink" });
    const called = ending.sandbox.control.nextCall("createChatInviteLink");
    const leaving = new AbortController();
    const answer = fetch(ending.url, {
      method: "POST",
      signal: leaving.signal,
      headers: { "content-type": "application/json", authorization: `Bearer ${ending.token}` },
      body: JSON.stringify({
        query: `mutation { createInviteLink(input: { channelId: ${CHANNEL}, name: "Left" }) { __typename } }`,
      }),
    });
    await called;
    leaving.abort();
    await expect(answer).rejects.toThrow();
    const before = ending.log.length;
    const stopped = ending.stop();
    release();
    await stopped;
    const stored = ending.log.slice(before).map(({ sql }) => String(sql ?? ""));
    expect(stored.some((sql) => /insert into "public"."invite_link"/i.test(sql))).toBe(true);
    expect(ending.log.filter(({ level }) => level === "fatal")).toEqual([]);
  });

  test("does not wait for those who hung up, nor for those who say nothing", async () => {
    const ending = await startTestServer();
    const release = ending.sandbox.control.hold({ method: "createChatInviteLink" });
    const called = ending.sandbox.control.nextCall("createChatInviteLink");
    const gone = new AbortController();
    const make = `mutation { createInviteLink(input: { channelId: ${CHANNEL}, name: "Hung up" }) { __typename } }`;
    const asking = fetch(ending.url, {
      method: "POST",
      headers: { authorization: `Bearer ${ending.token}`, "content-type": "application/json" },
      body: JSON.stringify({ query: make }),
      signal: gone.signal,
    });
    await called;
    gone.abort();
    await expect(asking).rejects.toThrow("aborted");
    const silent = connect(Number(new URL(ending.origin).port), "127.0.0.1");
    await once(silent, "connect");
    // Waiting for the silent connection would take longer than a test may.
    const stopped = ending.stop();
    release();
    await stopped;
    silent.destroy();
  });

  test("answers what is under way, and takes no more", async () => {
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

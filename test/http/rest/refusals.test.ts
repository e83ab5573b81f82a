import { request as httpRequest } from "node:http";
import { text } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { Tags } from "../../../src/domain/tags/tagQueries.js";
import type { SandboxFault } from "../../../src/sandbox/sandbox.js";
import {
  CHANNEL,
  CREATIVE,
  GROUP,
  GROUP_TAG,
  PLATFORM,
  startTestServer,
  type TestServer,
  YOUTUBE,
} from "../../support/server.js";
import { callerOf, type RestCall } from "./support.js";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ telegramTimeoutMs: 2000, corsOrigins: ["https://app.example"] });
});
afterAll(() => server.stop());
afterEach(() => server.sandbox.control.clearFaults());
const call = callerOf(() => server);
const NEW = { channel_id: CHANNEL, name: "New" };
const create = (body: object, options: RestCall = {}) =>
  call("POST", "/invite_links", { body: { ...NEW, ...body }, ...options });
const all = (query: string, body?: unknown) => call("POST", `/invite_links/all?${query}`, { body });

describe("authentication of REST", () => {
  const id = "01991000-0000-7000-8000-0000000fffff";
  test.each([
    ["GET", `/invite_links/${id}?channel_id=1`],
    ["POST", "/invite_links/all"],
    ["POST", "/invite_links"],
    ["GET", "/tags"],
    ["POST", "/tags"],
    ["GET", "/tags/types"],
    ["GET", `/tags/${id}`],
    ["PATCH", `/tags/${id}`],
    ["DELETE", "/tags"],
  ])("%s %s requires a token before anything else", async (method, path) => {
    for (const headers of [{}, { authorization: "Bearer wrong" }, { "content-type": "text/plain" }]) {
      const answer = await call(method, path, { token: null, headers });
      expect([answer.status, answer.body]).toEqual([401, { detail: "Unauthorized" }]);
      expect(answer.headers.get("www-authenticate")).toContain("Bearer");
      expect(answer.headers.get("x-request-id")).toBeTruthy();
    }
  });

  test("the description of the API needs no token", async () => {
    for (const path of ["/openapi.json", "/docs", "/docs/"])
      expect((await call("GET", path, { token: null })).status).toBe(200);
  });

  test("a viewer cannot change anything, and an editor nothing in a channel without a grant", async () => {
    const reader = await server.makeToken({ role: "VIEWER" });
    const editor = await server.makeToken({ role: "EDITOR", channelIds: [GROUP] });
    const tag = { channel_id: CHANNEL, name: "T", color: "#000000", tag_type_id: PLATFORM };
    const change = `/tags/${YOUTUBE}?channel_id=${CHANNEL}&name=A&color=%23000000&type_id=${PLATFORM}`;
    for (const token of [reader, editor]) {
      for (const answer of [await create({}, { token }), await call("POST", "/tags", { token, body: tag })]) {
        expect([answer.status, answer.body]).toEqual([403, { detail: expect.stringMatching(/token/) }]);
      }
    }
    expect((await call("PATCH", change, { token: reader })).status).toBe(403);
    expect((await call("PATCH", change, { token: editor })).status).toBe(404);
    expect((await call("GET", `/tags/${YOUTUBE}`, { token: editor })).body).toEqual({
      detail: "Tag not found",
    });
    expect((await call("GET", `/tags?channel_id=${CHANNEL}`, { token: editor })).status).toBe(403);
    expect((await call("GET", "/tags/types", { token: reader })).status).toBe(200);
  });
});

describe("refusals of Telegram in REST", () => {
  const made = () => server.sandbox.control.links(CHANNEL).length;
  const refusal = (error_code: number, description: string): SandboxFault => ({
    kind: "error",
    error_code,
    description,
  });
  test.each<[string, SandboxFault, number, object]>([
    [
      "the bot is not there",
      refusal(400, "Bad Request: chat not found"),
      409,
      { detail: "Bot not added to channel exception" },
    ],
    [
      "the bot was removed",
      refusal(403, "Forbidden: bot was kicked from the channel chat"),
      409,
      { detail: "Bot not added to channel exception" },
    ],
    [
      "the bot may not invite",
      refusal(400, "Bad Request: CHAT_ADMIN_REQUIRED"),
      403,
      { detail: "Helper bot permissions exception" },
    ],
    [
      "Telegram refuses",
      refusal(400, "Bad Request: strange"),
      400,
      { detail: expect.stringContaining("strange") },
    ],
    [
      "a value that Telegram refuses",
      refusal(400, "Bad Request: EXPIRE_DATE_INVALID"),
      422,
      { detail: [{ loc: ["body", "expire_date"], msg: expect.any(String), type: "value_error" }] },
    ],
    ["Telegram fails", { kind: "server-error" }, 502, { detail: expect.any(String), outcome_unknown: true }],
    [
      "the connection is cut",
      { kind: "cut", effect: "after" },
      502,
      { detail: expect.any(String), outcome_unknown: true },
    ],
    [
      "no answer comes in time",
      { kind: "hang", effect: "before" },
      504,
      { detail: expect.any(String), outcome_unknown: true },
    ],
    [
      "the bot's token is refused",
      { kind: "unauthorized" },
      502,
      { detail: expect.any(String), outcome_unknown: false },
    ],
  ])("Telegram's answer becomes a status: %s", async (_what, fault, status, body) => {
    server.sandbox.control.fail(fault, { method: "createChatInviteLink" });
    const answer = await create({});
    expect([answer.status, answer.body]).toEqual([status, body]);
  });

  test("a wait that is too long for a request is answered with Retry-After", async () => {
    const own = await startTestServer({ telegramTimeoutMs: 5000 });
    own.sandbox.control.fail(
      { kind: "too-many-requests", retryAfter: 30 },
      { method: "createChatInviteLink" },
    );
    const answer = await callerOf(() => own)("POST", "/invite_links", { body: NEW });
    expect([answer.status, answer.body]).toEqual([
      429,
      { detail: expect.stringMatching(/ (2\d|30) s/), code: "RATE_LIMITED" },
    ]);
    expect(answer.headers.get("retry-after")).toMatch(/^(2\d|30)$/);
    await own.stop();
  });

  test("a key that was used for a different request is refused", async () => {
    const headers = { "idempotency-key": "conflict" };
    expect((await create({}, { headers })).status).toBe(201);
    const before = made();
    const answer = await create({ name: "Another" }, { headers });
    expect([answer.status, answer.body]).toEqual([409, { detail: expect.stringContaining("key") }]);
    expect(made()).toBe(before);
  });
});

describe("invalid values in REST", () => {
  const wrong = (answer: { status: number; body: { detail: { loc: unknown[] }[] } }) => {
    expect(answer.status).toBe(422);
    return answer.body.detail.map(({ loc }) => loc.join("."));
  };
  const channel = `channel_id=${CHANNEL}`;
  test.each([
    ["nothing", "", ["query.channel_id"]],
    [
      "no numbers",
      "channel_id=x&page=y&limit=1.5&creator_id=true",
      ["query.channel_id", "query.creator_id", "query.limit", "query.page"],
    ],
    ["limit 0 and page 0", `${channel}&limit=0&page=0`, ["query.limit", "query.page"]],
    ["a page below 0", `${channel}&page=-1`, ["query.page"]],
    [
      "huge numbers",
      `${channel}&limit=99999999999&page=1e9&creator_id=9007199254740993`,
      ["query.creator_id", "query.limit", "query.page"],
    ],
    ["no channel that there can be", "channel_id=-99999999999999999999", ["query.channel_id"]],
    ["two channels", `${channel}&channel_id=1`, ["query.channel_id"]],
    ["an empty number", "channel_id=&limit=", ["query.channel_id", "query.limit"]],
    ["an unknown order", `${channel}&ordered_fields=name&ordered_fields=budget`, ["query.ordered_fields.1"]],
    ["orders in one text", `${channel}&ordered_fields=name,-created_at`, ["query.ordered_fields.0"]],
    ["NUL in the name", `${channel}&name=%00`, ["query.name"]],
  ])("a query is a 422 with all problems: %s", async (_what, query, expected) => {
    expect(wrong(await all(query)).sort()).toEqual(expected);
  });

  test.each<[string, unknown, string[]]>([
    ["a list", [], ["body"]],
    ["a text", '"x"', ["body"]],
    ["a group without its type or tags", { tags: [{}] }, ["body.tags.0.tag_type_id", "body.tags.0.tags"]],
    [
      "a group that is none",
      { tags: [null, 1], links_ids: "x" },
      ["body.links_ids", "body.tags.0", "body.tags.1"],
    ],
    [
      "a flag that is none",
      { tags: [{ tag_type_id: PLATFORM, tags: [], without_type: 1 }] },
      ["body.tags.0.without_type"],
    ],
    [
      "ids that are none",
      { tags: [{ tag_type_id: "x", tags: [YOUTUBE, "y"] }], links_ids: ["\0", YOUTUBE] },
      ["body.links_ids.0", "body.tags.0.tag_type_id", "body.tags.0.tags.1"],
    ],
    [
      "ids of other things",
      { tags: [{ tag_type_id: btoa(`Tag:${YOUTUBE}`), tags: [btoa(`InviteLink:${YOUTUBE}`)] }] },
      ["body.tags.0.tag_type_id", "body.tags.0.tags.0"],
    ],
    [
      "tags of another type or channel",
      {
        tags: [
          { tag_type_id: CREATIVE, tags: [YOUTUBE] },
          { tag_type_id: PLATFORM, tags: [GROUP_TAG] },
        ],
      },
      ["body.tags.0.tags.0", "body.tags.1.tags.0"],
    ],
    ["no such type", { tags: [{ tag_type_id: YOUTUBE, tags: [] }] }, ["body.tags.0.tag_type_id"]],
  ])("a filter is a 422 with all problems: %s", async (_what, body, expected) => {
    expect(wrong(await all(channel, body)).sort()).toEqual(expected);
  });

  test("a 422 lists problems of the query and the body together", async () => {
    expect(wrong(await all("page=0", { links_ids: 1 })).sort()).toEqual([
      "body.links_ids",
      "query.channel_id",
      "query.page",
    ]);
  });

  test.each<[string, unknown, string[]]>([
    ["no body", "", ["body"]],
    ["null", null, ["body"]],
    ["nothing in it", {}, ["body.channel_id", "body.name"]],
    [
      "other types",
      {
        channel_id: true,
        name: 1,
        creates_join_request: "no",
        expire_date: 5,
        member_limit: false,
        budget: "1",
        tags: "x",
      },
      [
        "body.budget",
        "body.channel_id",
        "body.creates_join_request",
        "body.expire_date",
        "body.member_limit",
        "body.name",
        "body.tags",
      ],
    ],
    [
      "nulls",
      { channel_id: null, name: null, creates_join_request: null, budget: null },
      ["body.budget", "body.channel_id", "body.creates_join_request", "body.name"],
    ],
    ["a budget that was calculated", { ...NEW, budget: 0.1 + 0.2 }, ["body.budget"]],
    ["a budget below nothing", { ...NEW, budget: -1 }, ["body.budget"]],
    ["a budget beyond measure", { ...NEW, budget: 1e300 }, ["body.budget"]],
    ["a part of a member", { ...NEW, member_limit: 1.5 }, ["body.member_limit"]],
    [
      "a name too long, a date gone by",
      { ...NEW, name: "x".repeat(33), expire_date: "2020-01-01T00:00:00Z" },
      ["body.expire_date", "body.name"],
    ],
    ["a day that there is not", { ...NEW, expire_date: "2037-02-30T00:00:00Z" }, ["body.expire_date"]],
    [
      "a limit beside approval",
      { ...NEW, member_limit: 5, creates_join_request: true },
      ["body.member_limit"],
    ],
    [
      "tags of others",
      { ...NEW, tags: [YOUTUBE, GROUP_TAG, btoa(`TagType:${PLATFORM}`)] },
      ["body.tags.1", "body.tags.2"],
    ],
  ])("a new link is a 422 with all problems: %s", async (_what, body, expected) => {
    expect([...new Set(wrong(await call("POST", "/invite_links", { body })))].sort()).toEqual(expected);
  });

  test("a 422 names problems in a header and in a path", async () => {
    expect(wrong(await create({}, { headers: { "idempotency-key": "k".repeat(256) } }))).toEqual([
      "header.idempotency-key",
    ]);
    for (const id of ["x", "%00", encodeURIComponent(btoa(`Tag:${YOUTUBE}`)), "%F0%9F%98%80"]) {
      expect(wrong(await call("GET", `/invite_links/${id}?${channel}`))).toEqual(["path.invite_link_id"]);
    }
    expect(wrong(await call("GET", "/tags/x"))).toEqual(["path.tag_id"]);
  });

  test("a 422 names problems of tags", async () => {
    expect(wrong(await call("PATCH", `/tags/${YOUTUBE}`)).sort()).toEqual([
      "query.channel_id",
      "query.color",
      "query.name",
      "query.type_id",
    ]);
    const patch = `/tags/x?${channel}&name=&color=red&type_id=${YOUTUBE}x`;
    expect(wrong(await call("PATCH", patch)).sort()).toEqual([
      "path.tag_id",
      "query.color",
      "query.name",
      "query.type_id",
    ]);
    const body = { channel_id: -100555, name: "\0", color: "", tag_type_id: YOUTUBE };
    expect(wrong(await call("POST", "/tags", { body })).sort()).toEqual([
      "body.channel_id",
      "body.color",
      "body.name",
      "body.tag_type_id",
    ]);
    const taken = { channel_id: CHANNEL, name: "youtube", color: "#000000", tag_type_id: PLATFORM };
    expect(wrong(await call("POST", "/tags", { body: taken }))).toEqual(["body.name"]);
    expect(wrong(await call("GET", `/tags?${channel}&type_id=x&limit=5`))).toEqual(["query.type_id"]);
    expect(wrong(await call("GET", `/tags?${channel}&limit=0&ordered_fields=color`)).sort()).toEqual([
      "query.limit",
      "query.ordered_fields.0",
    ]);
  });

  test("a 422 lists at most twenty problems", async () => {
    expect(
      wrong(await all(channel, { links_ids: Array.from({ length: 100_000 }, () => null) })),
    ).toHaveLength(20);
    expect(wrong(await all(channel, { links_ids: Array.from({ length: 20_000 }, () => YOUTUBE) }))).toEqual([
      "body.links_ids",
    ]);
  });
});

describe("malformed requests in REST", () => {
  test.each([
    ["a body that is not JSON", "{", {}, 400],
    ["a body of another type", "{}", { "content-type": "text/plain" }, 415],
    ["a form", "channel_id=1", { "content-type": "application/x-www-form-urlencoded" }, 415],
    ["a body too large", `"${"x".repeat(1_100_000)}"`, {}, 413],
    [
      "a body that tries to change prototypes",
      '{"__proto__":{"channel_id":1},"constructor":{"prototype":{}}}',
      {},
      422,
    ],
  ])("a request is refused for %s", async (_what, body, headers, status) => {
    const answer = await call("POST", "/invite_links", { body, headers });
    expect([answer.status, Object.keys(answer.body)]).toEqual([status, ["detail"]]);
  });

  test.each([
    ["DELETE", "/tags", "GET, POST"],
    ["PUT", "/invite_links", "POST"],
    ["GET", "/invite_links", "POST"],
    ["GET", "/invite_links/all", "POST"],
    ["PATCH", "/tags/types", "GET"],
    ["DELETE", `/tags/${YOUTUBE}/`, "GET, PATCH"],
  ])("%s %s is refused with the accepted methods", async (method, path, allow) => {
    const answer = await call(
      method,
      path,
      method === "GET" ? {} : { body: "x", headers: { "content-type": "text/plain" } },
    );
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, allow]);
    expect(Object.keys(answer.body)).toEqual(["detail"]);
  });

  test("an unknown path is a 404", async () => {
    for (const path of ["/invite_links/a/b", "/tags/a/b", "/tag"]) {
      const { status, body } = await call("GET", path);
      expect([status, typeof body.detail]).toEqual([404, "string"]);
    }
    expect((await call("GET", `/tags/${"x".repeat(500)}`)).status).toBe(400);
  });

  test("the body of a GET is ignored, and a body without a type is a 415", async () => {
    const { port } = new URL(server.origin);
    const send = (method: string, path: string, body: string) =>
      new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
        const headers = {
          authorization: `Bearer ${server.token}`,
          "content-length": Buffer.byteLength(body),
        };
        httpRequest({ port, host: "127.0.0.1", method, path, headers }, async (response) =>
          resolve({ status: response.statusCode, body: await text(response) }),
        )
          .on("error", reject)
          .end(body);
      });
    expect((await send("GET", "/tags/types", "{")).status).toBe(200);
    expect((await send("POST", `/invite_links/all?channel_id=${CHANNEL}`, "")).status).toBe(200);
    expect((await send("POST", `/invite_links/all?channel_id=${CHANNEL}`, "{}")).status).toBe(415);
  });

  test("HEAD is answered like GET, without the body", async () => {
    const answer = await call("HEAD", `/tags?channel_id=${CHANNEL}&limit=-1`);
    expect([answer.status, answer.body]).toEqual([200, ""]);
  });
});

describe("the log and CORS of REST", () => {
  const lineOf = async (requestId: string) => {
    const find = () => server.log.find((one) => one["requestId"] === requestId && one.msg === "request");
    await expect.poll(find).toBeDefined();
    return find();
  };

  test("each request has a log line with its caller and its error codes", async () => {
    await all("channel_id=x")
      .then(({ headers }) => lineOf(String(headers.get("x-request-id"))))
      .then((line) =>
        expect(line).toMatchObject({
          path: "/invite_links/all",
          status: 422,
          codes: ["BAD_USER_INPUT"],
          caller: expect.stringMatching(/^token:/),
        }),
      );
    await call("GET", "/tags/types", { token: null, headers: { "x-request-id": "unknown-caller" } });
    expect(await lineOf("unknown-caller")).toMatchObject({ status: 401, codes: ["UNAUTHENTICATED"] });
    const metrics = await (await fetch(`${server.origin}/metrics`)).text();
    expect(metrics).toMatch(
      /http_requests_total\{route="\/invite_links\/all",method="POST",status="422"\} \d+/,
    );
    expect(metrics).toMatch(/invite_links_errors_total\{code="BAD_USER_INPUT"\} \d+/);
  });

  test("an unexpected error is logged once and masked in the answer", async () => {
    const { length } = server.log;
    vi.spyOn(Tags.prototype, "numberedPage").mockRejectedValueOnce(new Error("a secret of the inside"));
    const headers = { "x-request-id": "failing" };
    const answer = await call("GET", `/tags?channel_id=${CHANNEL}`, { headers });
    expect([answer.status, answer.body]).toEqual([
      500,
      { detail: expect.any(String), request_id: "failing" },
    ]);
    expect(JSON.stringify(answer.body)).not.toContain("secret");
    expect(await lineOf("failing")).toMatchObject({ codes: ["INTERNAL_SERVER_ERROR"] });
    const errors = server.log.slice(length).filter(({ level }) => level === "error");
    expect(errors).toMatchObject([{ requestId: "failing", err: { message: "a secret of the inside" } }]);
  });

  test("browsers may call from another origin only if CORS_ORIGINS names it", async () => {
    const preflight = (origin: string) =>
      call("OPTIONS", `/tags/${YOUTUBE}`, {
        token: null,
        headers: {
          origin,
          "access-control-request-method": "PATCH",
          "access-control-request-headers": "authorization",
        },
      });
    const allowed = await preflight("https://app.example");
    expect(allowed.headers.get("access-control-allow-methods")).toContain("PATCH");
    expect(allowed.headers.get("access-control-allow-origin")).toBe("https://app.example");
    expect((await preflight("https://evil.example")).headers.get("access-control-allow-origin")).not.toBe(
      "https://evil.example",
    );
  });
});

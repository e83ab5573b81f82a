import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ALL_FORMS, describeOnForms } from "../../support/databases.js";
import { CHANNEL, type LogLine, startTestServer, type TestServer } from "../../support/server.js";

/** The time to wait for a log line: as long as a test may take. */
const PATIENCE = { timeout: 60_000, interval: 5 };

let server: TestServer;
const starting = async (...args: Parameters<typeof startTestServer>) => {
  server = await startTestServer(...args);
  return () => server.stop();
};

/** Sends an operation with a given request id and ignores errors. */
async function send(requestId: string, body: unknown, init: RequestInit & { token?: string } = {}) {
  const { token = server.token, ...rest } = init;
  const response = await fetch(server.url, {
    method: "POST",
    ...rest,
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      "x-request-id": requestId,
    },
    body: JSON.stringify(body),
  });
  expect(response.headers.get("x-request-id")).toBe(requestId);
  // biome-ignore lint/suspicious/noExplicitAny: the shape of an answer depends on its query.
  return (await response.json()) as any;
}

const of = (requestId: string): LogLine[] => server.log.filter((line) => line["requestId"] === requestId);
/** The log line of a request, which is written after the answer was sent. */
const lineOf = (requestId: string) =>
  vi.waitFor(() => {
    const lines = of(requestId).filter(({ msg }) => msg === "request");
    expect(lines).toHaveLength(1);
    return lines[0] as LogLine;
  }, PATIENCE);

describe("the log line of a request", () => {
  let stop: () => Promise<void>;
  beforeAll(async () => {
    stop = await starting({ adminToken: null });
  });
  afterAll(() => stop());

  test("the log line names the operation, the caller and the outcome", async () => {
    await send("named", { query: "query Mine { viewer { name } }" });
    const { time, ms, caller, ...line } = await lineOf("named");
    expect(line).toEqual({
      level: "info",
      requestId: "named",
      method: "POST",
      path: "/graphql",
      status: 200,
      operation: "Mine",
      operationType: "query",
      msg: "request",
    });
    expect(caller).toMatch(/^token:[0-9a-f-]{36}$/);
    expect(ms).toEqual(expect.any(Number));
    expect(time).toEqual(expect.any(String));
  });

  test("the log line distinguishes tokens with the same name, as the audit does", async () => {
    const [one, other] = [
      await server.makeToken({ role: "VIEWER" }),
      await server.makeToken({ role: "VIEWER" }),
    ];
    await send("one", { query: "{ viewer { name } }" }, { token: one });
    await send("other", { query: "{ viewer { name } }" }, { token: other });
    expect((await lineOf("one"))["caller"]).not.toBe((await lineOf("other"))["caller"]);
    expect(await lineOf("one")).not.toHaveProperty("operation");
    expect(JSON.stringify(server.log)).not.toContain(one);
  });

  test("the log line lists each error code once, including a mutation's typed errors", async () => {
    await send("typed", {
      query: `mutation Two($input: CreateTagTypeInput!) {
        a: createTagType(input: $input) { __typename } b: createTagType(input: $input) { __typename }
      }`,
      variables: { input: { name: "" } },
    });
    expect(await lineOf("typed")).toMatchObject({
      operation: "Two",
      operationType: "mutation",
      codes: ["BAD_USER_INPUT"],
    });
    await send("listed", { query: `query Bad { inviteLinks(channelId: 1, first: -1) { nodes { id } } }` });
    expect(await lineOf("listed")).toMatchObject({ operation: "Bad", codes: ["BAD_USER_INPUT"] });
    await send("batch", [{ query: "{ viewer { name } }" }]);
    expect(await lineOf("batch")).toMatchObject({ status: 400, codes: ["BAD_REQUEST"] });
  });

  test("the log line has no caller for an unauthenticated request", async () => {
    const { errors } = await send("nobody", { query: "query Mine { viewer { name } }" }, { token: "wrong" });
    expect(errors[0].extensions).toEqual({ code: "UNAUTHENTICATED", requestId: "nobody" });
    const line = await lineOf("nobody");
    expect(line).toMatchObject({ status: 401, codes: ["UNAUTHENTICATED"] });
    expect(line).not.toHaveProperty("caller");
    expect(line).not.toHaveProperty("operation");
  });

  test("the log line shortens a long operation name", async () => {
    const name = "N".repeat(100_000);
    await send("long", { query: `query ${name} { viewer { name } }` });
    expect((await lineOf("long"))["operation"]).toBe("N".repeat(64));
    await send("odd", {
      query: "query A { viewer { name } }",
      operationName: 'B\n{"level":"fatal"}\u001b[2J',
    });
    const odd = await lineOf("odd");
    expect(odd["codes"]).toEqual(["GRAPHQL_VALIDATION_FAILED"]);
    expect(JSON.stringify(odd)).not.toContain("fatal");
  });

  test("the log line of a client that left is written when the work is done", async () => {
    const release = server.sandbox.control.hold({ method: "createChatInviteLink" });
    const called = server.sandbox.control.nextCall("createChatInviteLink");
    const leaving = new AbortController();
    const query = `mutation Leave { createInviteLink(input: { channelId: ${CHANNEL}, name: "Left" }) { __typename } }`;
    const answer = send("left", { query }, { signal: leaving.signal });
    await called;
    leaving.abort();
    await expect(answer).rejects.toThrow("abort");
    release();
    expect(await lineOf("left")).toMatchObject({ status: 499, operation: "Leave" });
    expect(of("left").filter(({ level }) => level === "error")).toEqual([]);
  });

  test("the log line of a probe has the level debug", async () => {
    for (const path of ["/metrics", "/healthz", "/readyz"]) {
      await fetch(server.origin + path, { headers: { "x-request-id": `probe${path.slice(1)}` } });
      expect(await lineOf(`probe${path.slice(1)}`)).toMatchObject({ level: "debug", path, status: 200 });
    }
  });
});

await describeOnForms("the log lines within a request", ALL_FORMS, (form) => {
  const READ = {
    query: `query Read {
      apiTokens { name }
      inviteLinks(channelId: ${CHANNEL}, first: 20) { totalCount nodes { tags { name type { name } } channel { title } } }
    }`,
  };
  const MAKE = {
    query: `mutation Make {
      createInviteLink(input: { channelId: ${CHANNEL}, name: "Followed", tagIds: ["01991000-0000-7000-8000-000000000013"] }) {
        ... on CreateInviteLinkSuccess { inviteLink { url tags { type { name } } } }
        ... on UserError { message }
      }
    }`,
  };
  /** The log lines with a request's id, in order. */
  const told = (requestId: string) =>
    of(requestId)
      .filter(({ msg }) => msg === "sql" || msg === "telegram")
      .map(({ msg, sql, method }) => String(msg === "sql" ? sql : method));

  test("the lines of a request have its id while other requests run", async () => {
    const stop = await starting({ cache: false }, form);
    try {
      // Stores the time of the token's use (once a minute) and fills the caches.
      await send("first", MAKE);
      await send("alone-read", READ);
      await send("alone-make", MAKE);
      const [read, make] = [told("alone-read"), told("alone-make")];
      const written = (requestId: string) => told(requestId).join("\n");
      // Hand-written SQL, Prisma, batched loaders, and a transaction after a call to Telegram.
      expect(written("alone-read")).toMatch(/from invite_link l/);
      expect(written("alone-read")).toMatch(/FROM "public"."api_token"/);
      expect(written("alone-read")).toMatch(/from invite_link_tag/);
      expect(written("alone-make")).toMatch(/into audit_entry/);
      expect(make).toContain("createChatInviteLink");

      const from = server.log.length;
      const rounds = Array.from({ length: 8 }, (_, round) => round);
      const answers = await Promise.all(
        rounds.flatMap((round) => [send(`read-${round}`, READ), send(`make-${round}`, MAKE)]),
      );
      expect(answers.filter(({ errors }) => errors)).toEqual([]);
      for (const round of rounds) {
        expect(told(`read-${round}`).sort()).toEqual([...read].sort());
        expect(told(`make-${round}`)).toEqual(make);
      }
      const lines = server.log.slice(from).filter(({ msg }) => msg === "sql" || msg === "telegram");
      // Only the work beside requests, whose statements are not among theirs, has lines without an id.
      const ours = new Set(read.concat(make));
      const without = lines.filter(({ requestId }) => requestId === undefined);
      expect(without.filter(({ msg, sql }) => msg === "telegram" || ours.has(String(sql)))).toEqual([]);
      // All requests ran at the same time.
      const owners = lines.flatMap(({ requestId }) => requestId ?? []);
      expect(owners.filter((owner, index) => owner !== owners[index - 1]).length).toBeGreaterThan(16);
    } finally {
      await stop();
    }
  });

  test("the lines of a request have its id if bodies arrive late and in another order", async () => {
    const stop = await starting({ cache: false }, form);
    try {
      await send("first", READ);
      await send("alone", READ);
      const late = ["late-1", "late-2"].map((requestId) => {
        const request = httpRequest(server.url, {
          method: "POST",
          headers: {
            authorization: `Bearer ${server.token}`,
            "content-type": "application/json",
            "x-request-id": requestId,
          },
        });
        const answered = once(request, "response").then(([response]) => text(response));
        request.flushHeaders();
        return { requestId, request, answered };
      });
      // Their tokens are looked up before the body is read.
      await vi.waitFor(() => {
        for (const { requestId } of late) expect(told(requestId)).toHaveLength(1);
      }, PATIENCE);
      for (const { request } of late.toReversed()) request.end(JSON.stringify(READ));
      for (const { requestId, answered } of late) {
        expect(JSON.parse(await answered)).not.toHaveProperty("errors");
        expect(told(requestId).sort()).toEqual(told("alone").sort());
      }
    } finally {
      await stop();
    }
  });
});

import { afterAll, afterEach, beforeAll, expect, inject, test, vi } from "vitest";
import { pruneRateLimits } from "../../src/domain/access/rateLimitStore.js";
import { DatabaseProxy } from "../support/databaseProxy.js";
import { ALL_FORMS, describeOnForms, openTestDatabase } from "../support/databases.js";
import { LiveBed, type LiveServer } from "../support/liveServers.js";
import { NO_LIMIT, passSeconds, shownLimit, stopClock } from "../support/rateLimit.js";
import { CHANNEL, type GraphQLAnswer, startTestServer, type TestServer } from "../support/server.js";

const ADMIN_TOKEN = "an-admin-token-of-the-tests";
const LIMIT = 1000;
/** Documents with their costs. */
const [CHEAP, CHEAP_COST] = ["{ viewer { name } }", 2];
const [COSTLY, COSTLY_COST] = ["{ channels(first: 40) { nodes { id title } } }", 121];
/** Costs the whole limit. */
const WHOLE = `{
  a: channels(first: 100) { nodes { id title } } b: channels(first: 100) { nodes { id title } }
  c: channels(first: 100) { nodes { id title } } d: channels(first: 48) { nodes { id } }
}`;
const LOOK = "{ viewer { rateLimit { limit remaining resetAt } } }";
const LOOK_COST = 5;

const codesOf = ({ errors = [] }: GraphQLAnswer) => errors.map(({ extensions }) => extensions.code);

afterEach(() => {
  vi.useRealTimers();
});

await describeOnForms("a limited token", ALL_FORMS, (form) => {
  let server: TestServer;
  let token: string;
  beforeAll(async () => {
    server = await startTestServer(
      { adminToken: ADMIN_TOKEN, rateLimit: LIMIT, corsOrigins: ["https://app.example.com"] },
      form,
    );
  });
  afterAll(() => server.stop());

  /** A new token, of which nothing was spent. */
  const begin = async () => {
    stopClock();
    token = await server.makeToken({ role: "ADMIN" });
  };
  const ask = (query: string, variables = {}, bearer = token) => server.ask(query, variables, bearer);
  const send = (path: string, init: RequestInit = {}, bearer = token) =>
    fetch(`${server.origin}${path}`, {
      ...init,
      headers: {
        authorization: `Bearer ${bearer}`,
        ...(typeof init.body === "string" && { "content-type": "application/json" }),
        ...init.headers,
      },
    });
  const spendAll = async () => expect(shownLimit(await ask(WHOLE))).toEqual([LIMIT, 0, 60]);

  test("a token may spend exactly its limit, and a cheap operation passes as long as its cost is left", async () => {
    await begin();
    for (let count = 1; count <= 8; count += 1) {
      const answer = await ask(COSTLY);
      expect([answer.status, shownLimit(answer)]).toEqual([200, [LIMIT, LIMIT - count * COSTLY_COST, 60]]);
    }
    const refused = await ask(COSTLY);
    expect(refused).toMatchObject({
      status: 429,
      errors: [
        {
          message:
            "This costs 121. The token may spend 32 more of its 1000 in the next 60 s. Nothing was done.",
          extensions: { code: "RATE_LIMITED", retryAfterSeconds: 60, requestId: expect.any(String) },
        },
      ],
    });
    expect(refused).not.toHaveProperty("data");
    expect(refused.headers.get("retry-after")).toBe("60");
    expect(shownLimit(refused)).toEqual([LIMIT, 32, 60]);
    for (let left = 32; left > 0; left -= CHEAP_COST) expect((await ask(CHEAP)).status).toBe(200);
    const last = await ask(CHEAP);
    expect([last.status, codesOf(last), shownLimit(last)]).toEqual([429, ["RATE_LIMITED"], [LIMIT, 0, 60]]);
  });

  test("a token may spend its limit again when the minute is over", async () => {
    await begin();
    await ask(CHEAP);
    passSeconds(42.5);
    expect(
      (await ask(`{ inviteLinks(channelId: ${CHANNEL}, first: 100) { nodes { tags { id } } } }`)).status,
    ).toBe(200);
    const refused = await ask(`{ inviteLinks(channelId: ${CHANNEL}, first: 100) { nodes { tags { id } } } }`);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "18"]);
    passSeconds(17.5);
    const answer = await ask(CHEAP);
    expect([answer.status, shownLimit(answer)]).toEqual([200, [LIMIT, LIMIT - CHEAP_COST, 60]]);
  });

  test("viewer.rateLimit tells what is left, as the headers do", async () => {
    await begin();
    const { data } = await ask(LOOK);
    expect(data.viewer.rateLimit).toEqual({
      limit: LIMIT,
      remaining: LIMIT - LOOK_COST,
      resetAt: new Date(Date.now() + 60_000).toISOString(),
    });
    passSeconds(1);
    await ask(COSTLY);
    const later = await ask(LOOK);
    expect(later.data.viewer.rateLimit.remaining).toBe(LIMIT - 2 * LOOK_COST - COSTLY_COST);
    expect(shownLimit(later)).toEqual([LIMIT, LIMIT - 2 * LOOK_COST - COSTLY_COST, 59]);
  });

  test("an operation over the limit is refused with 429 and Retry-After in every media type", async () => {
    await begin();
    await spendAll();
    for (const accept of [
      "application/json",
      "application/graphql-response+json",
      "text/event-stream",
      undefined,
    ]) {
      const body = JSON.stringify({ query: CHEAP });
      const answer = await send("/graphql", { method: "POST", body, headers: accept ? { accept } : {} });
      expect([accept, answer.status, answer.headers.get("retry-after"), shownLimit(answer)]).toEqual([
        accept,
        429,
        "60",
        [LIMIT, 0, 60],
      ]);
      expect(await answer.text()).toContain('"code":"RATE_LIMITED"');
    }
    const byGet = await send(`/graphql?query=${encodeURIComponent(CHEAP)}`);
    expect([byGet.status, byGet.headers.get("retry-after")]).toEqual([429, "60"]);
  });

  test("a limited token sees the headers on refusals, which cost nothing, and on errors", async () => {
    await begin();
    const whole = [LIMIT, LIMIT, 60];
    expect(shownLimit(await ask("{ nonsense }"))).toEqual(whole);
    expect(shownLimit(await ask("{"))).toEqual(whole);
    const post = (init: RequestInit) => send("/graphql", { method: "POST", ...init });
    const plain = await post({ body: "{}", headers: { "content-type": "text/plain" } });
    expect([plain.status, shownLimit(plain)]).toEqual([415, whole]);
    const image = await post({ body: JSON.stringify({ query: CHEAP }), headers: { accept: "image/png" } });
    expect([image.status, shownLimit(image)]).toEqual([406, whole]);
    // An operation that fails was executed, and costs as much as one that succeeds.
    const failed = await ask("{ channels(last: -1) { nodes { id } } }");
    expect([codesOf(failed), shownLimit(failed)]).toEqual([["BAD_USER_INPUT"], [LIMIT, LIMIT - 3, 60]]);
  });

  test("a subscription is paid for when it begins, and its stream has the headers", async () => {
    await begin();
    const query = `subscription { memberEvents(channelId: ${CHANNEL}) { id } }`;
    const left = new AbortController();
    const stream = await send("/graphql", {
      method: "POST",
      body: JSON.stringify({ query }),
      headers: { accept: "text/event-stream" },
      signal: left.signal,
    });
    expect([stream.status, shownLimit(stream)]).toEqual([200, [LIMIT, LIMIT - 2, 60]]);
    left.abort();
  });

  test("a subscription over the limit is refused with 429", async () => {
    await begin();
    await spendAll();
    const refused = await send("/graphql", {
      method: "POST",
      body: JSON.stringify({ query: `subscription { memberEvents(channelId: ${CHANNEL}) { id } }` }),
      headers: { accept: "text/event-stream" },
    });
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "60"]);
    expect(await refused.text()).toContain('"code":"RATE_LIMITED"');
  });

  test("a token is not limited by what another one has spent", async () => {
    await begin();
    await spendAll();
    expect((await ask(CHEAP)).status).toBe(429);
    const other = await server.makeToken({ role: "VIEWER" });
    const answer = await ask(CHEAP, {}, other);
    expect([answer.status, shownLimit(answer)]).toEqual([200, [LIMIT, LIMIT - CHEAP_COST, 60]]);
  });

  test("the metrics count operations over the limit", async () => {
    await begin();
    await spendAll();
    await ask(CHEAP);
    const metrics = await (await fetch(`${server.origin}/metrics`)).text();
    expect(metrics).toMatch(/errors_total\{code="RATE_LIMITED"\} [1-9]/);
    expect(metrics).toMatch(/operations_total\{operation="other",type="query",outcome="refused"\} [1-9]/);
  });

  test("scripts of allowed origins may read the headers", async () => {
    await begin();
    const answer = await send(`/graphql?query=${encodeURIComponent(CHEAP)}`, {
      headers: { origin: "https://app.example.com" },
    });
    expect(answer.headers.get("access-control-expose-headers")).toMatch(
      /ratelimit-limit.*ratelimit-remaining.*ratelimit-reset/i,
    );
  });

  test("ADMIN_TOKEN is not limited, and a wrong token gets no headers", async () => {
    stopClock();
    for (let count = 0; count < 20; count += 1) {
      const answer = await ask(COSTLY, {}, ADMIN_TOKEN);
      expect([answer.status, shownLimit(answer)]).toEqual([200, NO_LIMIT]);
    }
    expect((await ask(LOOK, {}, ADMIN_TOKEN)).data.viewer.rateLimit).toBeNull();
    const unknown = await ask(CHEAP, {}, "unknown");
    expect([unknown.status, shownLimit(unknown)]).toEqual([401, NO_LIMIT]);
  });
});

await describeOnForms("without RATE_LIMIT", ALL_FORMS, (form) => {
  test("without RATE_LIMIT no token is limited and no headers are sent", async () => {
    const server = await startTestServer({}, form);
    try {
      const answer = await server.ask(LOOK);
      expect([answer.data.viewer.rateLimit, shownLimit(answer)]).toEqual([null, NO_LIMIT]);
    } finally {
      await server.stop();
    }
  });
});

await describeOnForms("three servers", ["server"], (form) => {
  test("three servers let a token spend between 90 % and 100 % of its limit", async () => {
    const bed = await LiveBed.prepare(form);
    try {
      const start = () => bed.start(0, { rateLimit: LIMIT });
      const servers = [await start(), await start(), await start()] as const;
      const { secret } = await servers[0].makeToken("VIEWER", null);
      stopClock();
      let spent = 0;
      let refused = 0;
      const load = async (server: LiveServer, query: string, cost: number, count: number) => {
        for (let index = 0; index < count; index += 1) {
          const answer = await server.ask(query, {}, secret);
          if (answer.status === 200) spent += cost;
          else {
            refused += 1;
            expect([answer.status, codesOf(answer)]).toEqual([429, ["RATE_LIMITED"]]);
          }
        }
      };
      await Promise.all(
        servers.flatMap((server) => [
          load(server, COSTLY, COSTLY_COST, 3),
          ...Array.from({ length: 5 }, () => load(server, CHEAP, CHEAP_COST, 60)),
        ]),
      );
      expect(refused).toBeGreaterThan(0);
      expect(spent).toBeGreaterThanOrEqual(LIMIT * 0.9);
      expect(spent).toBeLessThanOrEqual(LIMIT);
      passSeconds(60);
      expect((await servers[1].ask(CHEAP, {}, secret)).status).toBe(200);
    } finally {
      vi.useRealTimers();
      await bed.close();
    }
  });
});

await describeOnForms("a database that is away", ["server"], () => {
  test("a limited token's requests fail only as others do while the database is away", async () => {
    const { url } = await (await fetch(inject("serverAddress"))).json();
    const proxy = new DatabaseProxy(url);
    await proxy.listen();
    const server = await startTestServer({ rateLimit: LIMIT }, "server", undefined, (own) =>
      proxy.reach(own),
    );
    try {
      const token = await server.makeToken({ role: "VIEWER" });
      expect((await server.ask(CHEAP, {}, token)).status).toBe(200);
      await proxy.stop();
      const outcomes = new Set<unknown>();
      for (let count = 0; count < 15; count += 1) {
        const answer = await server.ask(CHEAP, {}, token);
        outcomes.add(codesOf(answer)[0] ?? answer.status);
      }
      // The caller is cached for a moment, and then its token cannot be read.
      for (const outcome of outcomes) expect([200, "DATABASE_UNAVAILABLE"]).toContain(outcome);
      await proxy.restart();
      await expect.poll(async () => (await server.ask(CHEAP, {}, token)).status).toBe(200);
    } finally {
      await server.stop();
      proxy.close();
    }
  });
});

test("rows of windows are deleted an hour after their end", async () => {
  const { database, close } = await openTestDatabase("embedded");
  const hour = 3_600_000;
  await database.prisma.rateLimit.createMany({
    data: [-hour - 60_000, -60_000, 60_000].map((from, index) => ({
      key: `token:${index}`,
      points: 1,
      expire: Date.now() + from,
    })),
  });
  await pruneRateLimits(database);
  const rows = await database.prisma.rateLimit.findMany({ orderBy: { key: "asc" } });
  expect(rows.map(({ key }) => key)).toEqual(["token:1", "token:2"]);
  await close();
});

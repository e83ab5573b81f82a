import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { CHANNEL, startTestServer, type TestServer } from "../support/server.js";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ telegramTimeoutMs: 2000, cache: false });
});
afterAll(() => server.stop());
afterEach(() => server.sandbox.control.clearFaults());

/** A sample of Prometheus' text format: name, labels, value. */
const SAMPLE =
  /^([a-zA-Z_:][\w:]*(?:\{[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*"(?:,[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*")*\})?) (-?\d+(?:\.\d+)?(?:e[+-]\d+)?|[+-]Inf|Nan)$/;
const COMMENT = /^# (HELP [a-zA-Z_:][\w:]* \S.*|TYPE [a-zA-Z_:][\w:]* (counter|gauge|histogram|summary))$/;

/** The samples by name and labels as they are written in the text. */
async function scrape(of = server): Promise<Map<string, number>> {
  const response = await fetch(`${of.origin}/metrics`);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
  const samples = new Map<string, number>();
  for (const line of (await response.text()).split("\n")) {
    if (line === "" || COMMENT.test(line)) continue;
    const [, name = "", value] = SAMPLE.exec(line) ?? [];
    expect(name, line).not.toBe("");
    expect(samples.has(name), line).toBe(false);
    samples.set(name, Number(value));
  }
  return samples;
}

/** The increase of the counters of one name during `work`, without counters that did not change. */
async function rises(name: string, work: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = await scrape();
  await work();
  const after = await scrape();
  return Object.fromEntries(
    [...after]
      .filter(([sample]) => sample === name || sample.startsWith(`${name}{`))
      .map(([sample, value]) => [sample.slice(name.length), value - (before.get(sample) ?? 0)] as const)
      .filter(([, rise]) => rise !== 0),
  );
}

/** Subscribes to a channel's events. @returns the response, whose stream is open */
async function subscribe(token: string): Promise<Response> {
  const response = await fetch(server.url, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "text/event-stream",
    },
    body: JSON.stringify({ query: `subscription { memberEvents(channelId: ${CHANNEL}) { id } }` }),
  });
  expect(response.status).toBe(200);
  return response;
}

const CREATE = `mutation Make { createInviteLink(input: { channelId: ${CHANNEL}, name: "Counted" }) { __typename } }`;
const FORBIDDEN = `mutation Refused { createTagType(input: { name: "Not mine" }) { __typename } }`;

describe("the metrics of requests", () => {
  let viewer: string;
  beforeAll(async () => {
    viewer = await server.makeToken({ role: "VIEWER" });
  });
  const everything = async () => {
    await server.ask("query Me { viewer { name } }");
    await server.ask("query Me { viewer { role } }");
    await server.ask("{ viewer { name } }");
    await server.ask(FORBIDDEN, {}, viewer);
    await server.ask("query Page { inviteLinks(channelId: 1, first: -1) { nodes { id } } }");
    await server.ask("query Invalid { nothing }");
    await server.ask("query Torn {");
    await server.ask("query Me { viewer { name } }", {}, "wrong");
    await fetch(`${server.origin}/elsewhere/${viewer}`);
  };

  test("operations are counted by name, type and outcome; refused operations have no name", async () => {
    expect(await rises("invite_links_graphql_operations_total", everything)).toEqual({
      '{operation="Me",type="query",outcome="ok"}': 2,
      '{operation="anonymous",type="query",outcome="ok"}': 1,
      '{operation="Refused",type="mutation",outcome="error"}': 1,
      '{operation="Page",type="query",outcome="error"}': 1,
      '{operation="other",type="unknown",outcome="refused"}': 2,
    });
    expect(await rises("invite_links_graphql_operation_duration_seconds_count", everything)).toEqual({
      '{operation="Me",type="query"}': 2,
      '{operation="anonymous",type="query"}': 1,
      '{operation="Refused",type="mutation"}': 1,
      '{operation="Page",type="query"}': 1,
    });
  });

  test("errors are counted by code, including the typed errors of mutations", async () => {
    expect(await rises("invite_links_errors_total", everything)).toEqual({
      '{code="FORBIDDEN"}': 1,
      '{code="BAD_USER_INPUT"}': 1,
      '{code="GRAPHQL_VALIDATION_FAILED"}': 1,
      '{code="GRAPHQL_PARSE_FAILED"}': 1,
      '{code="UNAUTHENTICATED"}': 1,
    });
  });

  test("requests are counted by route and status; probes have no duration", async () => {
    const probing = async () => {
      await everything();
      await fetch(`${server.origin}/healthz`);
      await fetch(`${server.origin}/readyz`);
    };
    expect(await rises("invite_links_http_requests_total", probing)).toEqual({
      // Refused documents among them, as application/json has it.
      '{route="/graphql",method="POST",status="200"}': 7,
      '{route="/graphql",method="POST",status="401"}': 1,
      '{route="unknown",method="GET",status="404"}': 1,
      '{route="/healthz",method="GET",status="200"}': 1,
      '{route="/readyz",method="GET",status="200"}': 1,
      // The scrape before this one.
      '{route="/metrics",method="GET",status="200"}': 1,
    });
    expect(await rises("invite_links_http_request_duration_seconds_count", probing)).toEqual({
      '{route="/graphql",method="POST"}': 8,
      '{route="unknown",method="GET"}': 1,
    });
  });

  test("a malformed address is counted under the route unknown", async () => {
    expect(
      await rises("invite_links_http_requests_total", () => fetch(`${server.origin}/%zz`)),
    ).toMatchObject({ '{route="unknown",method="GET",status="400"}': 1 });
  });
});

describe("the metrics of statements and calls", () => {
  test("the duration of every statement is measured under the statement's name", async () => {
    const told = await rises("invite_links_sql_statement_duration_seconds_count", () =>
      server.ask("{ apiTokens { id } tagTypes { id } }"),
    );
    // Work beside requests may run other statements meanwhile.
    expect(told).toMatchObject({ '{statement="prisma_select_api_token"}': 1 });
  });

  test("the duration of every call to Telegram is measured by outcome", async () => {
    const calls = "invite_links_telegram_call_duration_seconds_count";
    // Work beside requests may call other methods meanwhile.
    expect(await rises(calls, () => server.ask(CREATE))).toMatchObject({
      '{method="createChatInviteLink",outcome="ok"}': 1,
    });
    const failing = async () => {
      server.sandbox.control.fail({ kind: "server-error" }, { method: "createChatInviteLink" });
      expect((await server.ask(CREATE)).data.createInviteLink.__typename).toBe("TelegramUnavailableError");
    };
    expect(await rises(calls, failing)).toMatchObject({
      '{method="createChatInviteLink",outcome="unavailable"}': 1,
    });
    expect(await rises("invite_links_errors_total", failing)).toEqual({
      '{code="TELEGRAM_UNAVAILABLE"}': 1,
    });
  });

  test("the state of Telegram, the pool and the process is reported", async () => {
    const states = async () =>
      [...(await scrape())]
        .filter(([sample, value]) => sample.startsWith("invite_links_telegram_state{") && value === 1)
        .map(([sample]) => sample);
    await server.ask(CREATE);
    expect(await states()).toEqual(['invite_links_telegram_state{state="sandbox"}']);
    const heal = server.sandbox.control.fail({ kind: "unauthorized" });
    await server.ask(CREATE);
    expect(await states()).toEqual(['invite_links_telegram_state{state="unauthorized"}']);
    heal();
    await server.ask(CREATE);
    expect(await states()).toEqual(['invite_links_telegram_state{state="sandbox"}']);
    // Work beside requests may use the database at the moment.
    const idle = async () => (await scrape()).get("invite_links_database_idle_connections");
    await expect.poll(idle).toBeGreaterThanOrEqual(1);
    await expect.poll(async () => (await scrape()).get("invite_links_database_waiting")).toBe(0);
    const samples = await scrape();
    expect(samples.get("invite_links_database_connections")).toBeGreaterThanOrEqual(1);
    expect(samples.get("invite_links_telegram_waiting_calls")).toBe(0);
    expect(samples.get("process_resident_memory_bytes")).toBeGreaterThan(0);
    expect(samples.has("nodejs_eventloop_lag_p99_seconds")).toBe(true);
  });
});

describe("the labels of metrics", () => {
  test("the number of operation names in labels is limited", async () => {
    // ADMIN_TOKEN, which takes no statement.
    const named = await startTestServer({ logLevel: "info", adminToken: "all-the-names" });
    try {
      const names = ["L".repeat(5000), ...Array.from({ length: 299 }, (_, index) => `Name${index}`)];
      for (let from = 0; from < names.length; from += 50) {
        const some = names.slice(from, from + 50);
        await Promise.all(some.map((name) => named.ask(`query ${name} { __typename }`)));
        await named.ask(`query In${some[0]} { nothing }`);
      }
      const operations = [...(await scrape(named))].filter(([sample]) =>
        sample.startsWith("invite_links_graphql_operations_total{"),
      );
      const labels = operations.map(([sample]) => /operation="(\w*)"/.exec(sample)?.[1] ?? "");
      expect(new Set(labels).size).toBe(201);
      expect(labels).toContain("L".repeat(64));
      expect(labels.filter((name) => name.startsWith("InName"))).toEqual([]);
      expect(
        operations.filter(([sample]) => !sample.includes("refused")).reduce((sum, [, n]) => sum + n, 0),
      ).toBe(300);
      expect(
        operations.find(([sample]) => sample.includes('operation="other",type="query",outcome="ok"'))?.[1],
      ).toBe(100);
    } finally {
      await named.stop();
    }
  });

  test("labels contain neither secrets nor ids", async () => {
    const secret = await server.makeToken({ role: "EDITOR", channelIds: [CHANNEL] });
    await server.ask(CREATE, {}, secret);
    const text = await (await fetch(`${server.origin}/metrics`)).text();
    for (const hidden of [secret, server.token, server.sandbox.bot.token, String(-CHANNEL), "token:"]) {
      expect(text).not.toContain(hidden);
    }
    expect(text).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}-/);
  });
});

test("the metrics tell how many streams are open, and why the server ended streams", async () => {
  const streams = async () => {
    const samples = await scrape();
    const cuts = [...samples].filter(([name]) => name.startsWith("invite_links_streams_cut_off_total"));
    const cutOff = cuts.flatMap(([name, value]) =>
      value === 0 ? [] : [[name.replace(/.*reason=/, ""), value]],
    );
    return [samples.get("invite_links_streams_open"), ...cutOff];
  };
  expect(await streams()).toEqual([0]);
  const tokenIds = async (): Promise<string[]> =>
    (await server.ask("{ apiTokens { id } }")).data.apiTokens.map(({ id }: { id: string }) => id);
  const others = await tokenIds();
  const token = await server.makeToken({ role: "VIEWER" });
  const [id] = (await tokenIds()).filter((one) => !others.includes(one));
  const [revoked, left] = [await subscribe(token), await subscribe(server.token)];
  expect(await streams()).toEqual([2]);
  await left.body?.cancel();
  await server.ask(`mutation { revokeApiToken(input: { id: "${id}" }) { __typename } }`);
  expect(await revoked.text()).toContain("UNAUTHENTICATED");
  await expect.poll(streams).toEqual([0, ['"revoked"}', 1]]);
});

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { type Sandbox, startSandbox } from "../../src/sandbox/sandbox.js";
import { EventReader } from "../http/graphql/subscriptionServer.js";
import { Collector, environmentAt, KIND, type Span, STATUS } from "../support/collector.js";
import { ALL_FORMS, type DatabaseForm, describeOnForms, prepareTestDatabase } from "../support/databases.js";
import { askAt, ServerProcess } from "../support/process.js";

const CHANNEL = -1001111111111;
const ADMIN_TOKEN = "an-admin-token-of-the-tests";
const BOT = { id: 123456789, token: "123456789:AA-secret-of-the-bot", username: "a_bot", firstName: "A" };
const CALLER_SPAN = "b7ad6b7169203331";

const newTraceId = (): string => randomBytes(16).toString("hex");
const continuing = (traceId: string) => ({ traceparent: `00-${traceId}-${CALLER_SPAN}-01` });
/** The caller does not record its trace. */
const continuingUnsampled = () => ({ traceparent: `00-${newTraceId()}-${CALLER_SPAN}-00` });

const MAKE = `mutation Make($name: String!, $asks: Boolean! = false) {
  createInviteLink(input: { channelId: ${CHANNEL}, name: $name, createsJoinRequest: $asks }) {
    ... on CreateInviteLinkSuccess { inviteLink { id url } }
    ... on UserError { message }
  }
}`;

interface TracedServer {
  readonly process: ServerProcess;
  /** Null on the embedded form. */
  readonly databaseUrl: string | null;
  readonly url: string;
  ask(query: string, variables?: object, headers?: Record<string, string>): ReturnType<typeof askAt>;
  /** Asks in a trace of the caller's. @returns the spans of the trace */
  traced(query: string, variables?: object): Promise<Span[]>;
}

/** Telegram, a collector, and what must be closed after them. */
class Bed {
  readonly telegram: Sandbox;
  collector: Collector;
  readonly #closers: (() => Promise<unknown>)[] = [];

  private constructor(telegram: Sandbox, collector: Collector) {
    this.telegram = telegram;
    this.collector = collector;
  }

  static async prepare(): Promise<Bed> {
    const telegram = await startSandbox({
      bot: BOT,
      initial: { chats: [{ id: CHANNEL, type: "channel", title: "News" }] },
    });
    return new Bed(telegram, await Collector.listen());
  }

  /** Starts a server process with a database of its own. */
  async start(form: DatabaseForm, environment: Record<string, string>): Promise<TracedServer> {
    const database = await prepareTestDatabase(form);
    const dataDir = await mkdtemp(join(tmpdir(), "invite-links-data-"));
    if (database.dataDir !== null) await rename(database.dataDir, join(dataDir, "live"));
    const server = new ServerProcess({
      DATA_DIR: dataDir,
      TELEGRAM_BOT_TOKEN: BOT.token,
      TELEGRAM_API_ROOT: this.telegram.apiRoot,
      ADMIN_TOKEN,
      ...(database.url === null ? {} : { DATABASE_URL: database.url }),
      ...environment,
    });
    this.#closers.push(async () => {
      await server.end("SIGKILL");
      await database.remove();
      await rm(dataDir, { recursive: true, force: true });
    });
    const url = await server.ready();
    const ask: TracedServer["ask"] = (query, variables = {}, headers = {}) =>
      askAt(url, ADMIN_TOKEN, query, { variables, headers });
    return {
      process: server,
      databaseUrl: database.url,
      url,
      ask,
      traced: async (query, variables) => {
        const traceId = newTraceId();
        await ask(query, variables, continuing(traceId));
        return this.collector.trace(traceId);
      },
    };
  }

  async close(): Promise<void> {
    for (const close of this.#closers) await close();
    await this.telegram.close();
    await this.collector.close();
  }
}

const named = (spans: readonly Span[], name: string): Span => {
  const found = spans.find((span) => span.name === name);
  if (!found) throw new Error(`There is no span ${name} among ${spans.map((span) => span.name).join(", ")}.`);
  return found;
};

const isStatement = ({ attributes }: Span): boolean => attributes["db.system.name"] === "postgresql";

/** The names of the spans within a span, sorted. */
const namesWithin = (spans: readonly Span[], { id }: Span): string[] =>
  spans
    .filter(({ parentId }) => parentId === id)
    .map(({ name }) => name)
    .sort();

/** Everything that has reached a collector, as text. */
const exportedTo = (collector: Collector): string =>
  collector.received.map(({ body }) => body.toString()).join("\n");

/** A receiver of webhooks that accepts everything. */
async function startReceiver(): Promise<Server> {
  const receiver = createServer((request, response) => {
    request.resume();
    response.writeHead(204).end();
  });
  await once(receiver.listen(0, "127.0.0.1"), "listening");
  return receiver;
}

await describeOnForms("traces", ALL_FORMS, (form) => {
  let bed: Bed;
  let telegram: Sandbox;
  let collector: Collector;
  let server: TracedServer;
  beforeAll(async () => {
    bed = await Bed.prepare();
    ({ telegram, collector } = bed);
    server = await bed.start(form, {
      ...collector.environment,
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=staging",
      OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20secret-of-the-collector",
      // Caches would answer some of the requests without statements.
      CACHE: "off",
      LOG_LEVEL: "debug",
      WEBHOOK_ALLOW_PRIVATE: "on",
      TRUST_PROXY: "127.0.0.0/8",
    });
  });
  afterAll(() => bed.close());
  const telegramServer = () => {
    const { hostname, port } = new URL(telegram.apiRoot);
    return { "server.address": hostname, "server.port": Number(port) };
  };

  test("a request, its operation, its statements and its call to Telegram are one trace, which goes on with the caller's", async () => {
    const traceId = newTraceId();
    await server.ask(MAKE, { name: "Autumn" }, { ...continuing(traceId), "x-request-id": "a-request" });
    const spans = await collector.trace(traceId);
    const request = named(spans, "POST /graphql");
    expect(request).toMatchObject({ kind: KIND.server, parentId: CALLER_SPAN, status: STATUS.unset });
    expect(request.attributes).toEqual({
      "http.request.method": "POST",
      "http.response.header.x-request-id": ["a-request"],
      "http.response.status_code": 200,
      "http.route": "/graphql",
      "url.path": "/graphql",
      "url.scheme": "http",
    });
    const operation = named(spans, "mutation Make");
    expect(operation).toMatchObject({ kind: KIND.internal, parentId: request.id, status: STATUS.unset });
    expect(operation.attributes).toEqual({
      "graphql.operation.name": "Make",
      "graphql.operation.type": "mutation",
    });
    const call = named(spans, "telegram createChatInviteLink");
    expect(call).toMatchObject({ kind: KIND.client, parentId: operation.id, status: STATUS.unset });
    expect(call.attributes).toEqual({
      "http.request.method": "POST",
      "http.response.status_code": 200,
      "telegram.method": "createChatInviteLink",
      ...telegramServer(),
    });
    const statements = spans.filter(isStatement);
    expect(statements.length).toBeGreaterThan(3);
    for (const { kind, name, attributes } of statements) {
      expect(kind).toBe(KIND.client);
      expect(attributes).toEqual({ "db.system.name": "postgresql", "db.query.summary": name });
    }
    // The caller's token is read before there is an operation.
    expect(statements.filter(({ parentId }) => parentId !== operation.id && parentId !== request.id)).toEqual(
      [],
    );
    // The chat is asked for as well, because the server does not know it yet.
    const calls = spans.filter(({ name }) => name.startsWith("telegram "));
    expect(calls.map(({ parentId }) => parentId)).toEqual(calls.map(() => operation.id));
    expect(spans).toHaveLength(2 + calls.length + statements.length);
    for (const span of spans) {
      expect(span.start).toBeGreaterThanOrEqual(request.start);
      expect(span.end).toBeLessThanOrEqual(request.end);
    }
    expect(collector.resource).toMatchObject({
      "service.name": "invite-links",
      "service.version": expect.any(String),
      "service.instance.id": expect.stringMatching(/^[0-9a-f-]{36}$/),
      "deployment.environment.name": "staging",
    });
    const lines = server.process.lines.filter(({ requestId }) => requestId === "a-request");
    expect(lines.map(({ msg }) => msg)).toContain("request");
    expect(lines.filter(({ trace_id }) => trace_id !== traceId)).toEqual([]);
  });

  test("requests at the same time have the statements of their own alone", async () => {
    for (const name of ["One", "Two"]) await server.ask(MAKE, { name });
    const list = `query List { inviteLinks(channelId: ${CHANNEL}, first: 5) {
      totalCount nodes { id tags { name type { name } } stats { joinCount } members(first: 2) { totalCount } }
      facets { type { name } } } }`;
    const alone = await server.traced(list);
    const names = namesWithin(alone, named(alone, "query List"));
    expect(names.length).toBeGreaterThan(1);
    const together = await Promise.all(Array.from({ length: 20 }, () => server.traced(list)));
    for (const spans of together) expect(namesWithin(spans, named(spans, "query List"))).toEqual(names);
  });

  test("a REST call and its statements are one trace", async () => {
    await server.ask(MAKE, { name: "One" });
    const traceId = newTraceId();
    const response = await fetch(new URL(`/export?channel_id=${CHANNEL}`, server.url), {
      headers: {
        authorization: `Bearer ${ADMIN_TOKEN}`,
        "x-forwarded-proto": "https",
        ...continuing(traceId),
      },
    });
    expect(await response.text()).toContain("One");
    const spans = await collector.trace(traceId);
    const request = named(spans, "GET /export");
    expect(request.attributes["url.scheme"]).toBe("https");
    expect(namesWithin(spans, request).length).toBeGreaterThan(3);
  });

  test("a call that Telegram answers 429 and its repetition are two spans", async () => {
    telegram.control.fail({ kind: "too-many-requests", retryAfter: 1 }, { method: "createChatInviteLink" });
    const spans = await server.traced(MAKE, { name: "Twice" });
    const calls = spans.filter(({ name }) => name === "telegram createChatInviteLink");
    expect(calls.map(({ status, attributes }) => ({ status, ...attributes }))).toEqual([
      {
        status: STATUS.error,
        "error.type": "tooManyRequests",
        "http.request.method": "POST",
        "http.response.status_code": 429,
        "telegram.method": "createChatInviteLink",
        ...telegramServer(),
      },
      {
        status: STATUS.unset,
        "http.request.method": "POST",
        "http.request.resend_count": 1,
        "http.response.status_code": 200,
        "telegram.method": "createChatInviteLink",
        ...telegramServer(),
      },
    ]);
  });

  test("the span of a subscription ends when its stream begins, and its events leave no spans", async () => {
    const { data } = await server.ask(MAKE, { name: "One" });
    const traceId = newTraceId();
    const left = new AbortController();
    const response = await fetch(server.url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "text/event-stream",
        authorization: `Bearer ${ADMIN_TOKEN}`,
        ...continuing(traceId),
      },
      body: JSON.stringify({
        query: `subscription Watch { memberEvents(channelId: ${CHANNEL}) { userId inviteLink { name } } }`,
      }),
      signal: left.signal,
    });
    const before = await collector.trace(traceId);
    expect(named(before, "subscription Watch").parentId).toBe(named(before, "POST /graphql").id);
    telegram.control.join(
      CHANNEL,
      { id: 5550001, is_bot: false, first_name: "P" },
      { url: data.createInviteLink.inviteLink.url },
    );
    expect((await new EventReader(response).next())?.data.data.memberEvents.userId).toBe(5550001);
    // What the event caused has ended before this request.
    await server.traced(`query Later { viewer { name } }`);
    expect(collector.spans.filter((span) => span.traceId === traceId)).toHaveLength(before.length);
    left.abort();
  });

  test("updates, deliveries to webhooks and batches of links have traces of their own", async () => {
    const receiver = await startReceiver();
    onTestFinished(() => void receiver.close());
    const { port } = receiver.address() as AddressInfo;
    const { data } = await server.ask(
      `mutation ($url: String!) { createWebhook(input: { url: $url, eventTypes: [MEMBER_JOINED] }) {
        ... on CreateWebhookSuccess { webhook { id } } ... on UserError { message } } }`,
      { url: `http://127.0.0.1:${port}/secret-path` },
    );
    expect(data.createWebhook.webhook.id).toEqual(expect.any(String));
    const made = await server.ask(MAKE, { name: "One" });
    telegram.control.join(
      CHANNEL,
      { id: 5550002, is_bot: false, first_name: "P" },
      { url: made.data.createInviteLink.inviteLink.url },
    );
    const poll = await collector.span(({ name }) => name === "telegram getUpdates");
    expect([poll.parentId, poll.kind]).toEqual([undefined, KIND.client]);
    const storing = await collector.span(({ name }) => name === "store updates");
    expect([storing.parentId, storing.kind]).toEqual([undefined, KIND.internal]);
    expect(namesWithin(collector.spans.filter(isStatement), storing)).not.toEqual([]);
    const delivery = await collector.span(({ name }) => name === "deliver to webhook");
    expect([delivery.parentId, delivery.kind, delivery.status]).toEqual([
      undefined,
      KIND.client,
      STATUS.unset,
    ]);
    expect(delivery.attributes).toEqual({
      "http.request.method": "POST",
      "http.response.status_code": 204,
      "invite_links.webhook_id": expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    const traceId = newTraceId();
    await server.ask(
      `mutation { createInviteLinks(input: { channelId: ${CHANNEL}, links: [{ name: "A" }] }) { __typename } }`,
      {},
      continuing(traceId),
    );
    const isOfStep = ({ parentId }: Span) => {
      const step = collector.spans.find(({ id }) => id === parentId);
      return step?.name === "link batch step" && step.parentId === undefined && step.traceId !== traceId;
    };
    // A parent ends after its children.
    await collector.span(({ name }) => name === "link batch step");
    expect(
      collector.spans.filter(({ name }) => name === "telegram createChatInviteLink").some(isOfStep),
    ).toBe(true);
  });

  test("no secret, no text of a caller and no person is exported", async () => {
    const { data } = await server.ask(MAKE, { name: "Name of a link", asks: true });
    const { url } = data.createInviteLink.inviteLink;
    const requests = `{ joinRequests(channelId: ${CHANNEL}) { nodes { id userId } } }`;
    telegram.control.join(CHANNEL, { id: 5550003, is_bot: false, first_name: "Anna" }, { url });
    const isAsked = async () => (await server.ask(requests)).data.joinRequests.nodes.length;
    await expect.poll(isAsked).toBe(1);
    const found = await server.ask(requests);
    const [request] = found.data.joinRequests.nodes;
    expect(request.userId).toBe(5550003);
    await server.traced(
      `mutation ($ids: [ID!]!) { decideJoinRequests(input: { ids: $ids, decision: APPROVE }) { __typename } }`,
      { ids: [request.id] },
    );
    expect(collector.spans.map(({ name }) => name)).toContain("telegram approveChatJoinRequest");
    // Literals in a document, free texts in headers, a wrong token, odd addresses, and a failed call.
    await server.traced(
      `query Literal { inviteLinks(channelId: ${CHANNEL}, filter: { search: "Name of a" }) { totalCount } }`,
    );
    await server.ask(
      "{ viewer { name } }",
      {},
      { ...continuing(newTraceId()), tracestate: "vendor=Somebody", "x-forwarded-proto": "http, Somebody" },
    );
    await askAt(server.url, "a-wrong-token-of-somebody", "{ viewer { name } }");
    await fetch(new URL("/unknown/5550003?token=a-wrong-token-of-somebody", server.url));
    await fetch(new URL("/tags/5550003?x=Name%20of%20a%20link", server.url), {
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, "user-agent": "Somebody's browser" },
    });
    const end = telegram.control.fail(
      { kind: "error", error_code: 400, description: "Bad Request: Name of a link" },
      { method: "createChatInviteLink" },
    );
    await server.traced(MAKE, { name: "Name of a link" });
    end();
    const all = exportedTo(collector);
    for (const secret of [
      BOT.token,
      "AA-secret-of-the-bot",
      ADMIN_TOKEN,
      "a-wrong-token",
      "secret-of-the-collector",
      "Name of a",
      "Name%20of",
      "5550001",
      "5550002",
      "5550003",
      "secret-path",
      "Anna",
      "Somebody",
      String(CHANNEL),
      url,
      url.split("/").at(-1),
    ])
      expect(all).not.toContain(secret);
    expect(collector.received[0]?.headers.authorization).toBe("Bearer secret-of-the-collector");
    expect(server.process.stdout + server.process.stderr).not.toContain("secret-of-the-collector");
  });
});

await describeOnForms("traces of failures", ["server"], (form) => {
  test("the spans of an operation that fails unexpectedly have the status error", async () => {
    const bed = await Bed.prepare();
    onTestFinished(() => bed.close());
    const server = await bed.start(form, bed.collector.environment);
    const client = new pg.Client(server.databaseUrl ?? "");
    await client.connect();
    await client.query("alter table webhook rename to renamed");
    await client.end();
    const spans = await server.traced("query Hooks { webhooks { id } }");
    const failed = {
      status: STATUS.error,
      attributes: {
        "error.type": "INTERNAL_SERVER_ERROR",
        "invite_links.error_codes": ["INTERNAL_SERVER_ERROR"],
      },
    };
    expect(named(spans, "query Hooks")).toMatchObject(failed);
    const statements = spans.filter((span) => isStatement(span) && span.status === STATUS.error);
    expect(statements.map(({ attributes }) => attributes)).toMatchObject([
      { "error.type": "42P01", "db.response.status_code": "42P01" },
    ]);
    expect(named(spans, "POST /graphql")).toMatchObject(failed);
    const refused = await server.traced("query Odd { inviteLinks(channelId: 5) { totalCount } }");
    expect(named(refused, "POST /graphql")).toMatchObject({ status: STATUS.unset });
  });
});

/** Writes the files that were loaded with `require`, as all of OpenTelemetry is, when the process ends. */
const LIST_MODULES = `process.on("exit", () =>
  require("node:fs").writeFileSync(process.env.MODULES_FILE, JSON.stringify(Object.keys(require.cache))));`;

describe("the server process", () => {
  let bed: Bed;
  let folder: string;
  beforeEach(async () => {
    bed = await Bed.prepare();
    folder = await mkdtemp(join(tmpdir(), "invite-links-modules-"));
    await writeFile(join(folder, "list.cjs"), LIST_MODULES);
  });
  afterEach(async () => {
    await bed.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** The packages of OpenTelemetry that a server has loaded when it ends. */
  async function packagesOf(environment: Record<string, string>): Promise<string[]> {
    const file = join(folder, "modules.json");
    const server = await bed.start("embedded", {
      NODE_OPTIONS: `--require ${join(folder, "list.cjs")}`,
      MODULES_FILE: file,
      ...environment,
    });
    await server.ask(MAKE, { name: "One" });
    expect(await server.process.end("SIGTERM")).toBe(0);
    const paths: string[] = JSON.parse(await readFile(file, "utf8"));
    return [...new Set(paths.flatMap((path) => /@opentelemetry[/]([^/]+)/.exec(path)?.[1] ?? []))].sort();
  }

  test.each<[string, Record<string, string>]>([
    ["the variables", {}],
    [
      "an address",
      { OTEL_SERVICE_NAME: "links", OTEL_TRACES_EXPORTER: "otlp", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" },
    ],
    ["an exporter", { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9", OTEL_TRACES_EXPORTER: "none" }],
    ["an enabled SDK", { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9", OTEL_SDK_DISABLED: "TRUE" }],
  ])("without %s nothing of OpenTelemetry is loaded", async (_title, environment) => {
    // prom-client loads the API by itself.
    expect(await packagesOf(environment)).toEqual(["api"]);
  });

  test("with an address OpenTelemetry is loaded, and sends Protocol Buffers to /v1/traces", async () => {
    const { OTEL_EXPORTER_OTLP_PROTOCOL: _json, ...environment } = bed.collector.environment;
    const packages = await packagesOf(environment);
    expect(packages).toContain("sdk-trace-base");
    expect(packages).not.toContain("exporter-trace-otlp-http");
    expect(bed.collector.received[0]).toMatchObject({
      path: "/v1/traces",
      headers: { "content-type": "application/x-protobuf" },
    });
    expect(exportedTo(bed.collector)).toContain("mutation Make");
  });

  test("the address, the protocol and the headers for traces take precedence", async () => {
    const server = await bed.start("embedded", {
      ...bed.collector.environment,
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9",
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `http://127.0.0.1:${bed.collector.port}/of/traces`,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
      OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_HEADERS: "x-tenant=a,x-other=b",
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: "x-tenant=c",
      OTEL_SERVICE_NAME: "links",
      OTEL_RESOURCE_ATTRIBUTES: "service.instance.id=server-1",
    });
    await server.traced(MAKE, { name: "One" });
    expect(bed.collector.received[0]).toMatchObject({
      path: "/of/traces",
      headers: { "x-tenant": "c", "x-other": "b" },
    });
    expect(bed.collector.resource).toMatchObject({
      "service.name": "links",
      "service.instance.id": "server-1",
    });
  });

  test("a request that the sampler leaves out sends no span, and its log line has the trace's id", async () => {
    const server = await bed.start("embedded", {
      ...bed.collector.environment,
      OTEL_TRACES_SAMPLER: "parentbased_always_off",
    });
    await server.ask(MAKE, { name: "Unseen" });
    const spans = await server.traced(MAKE, { name: "Seen" });
    expect(spans.length).toBeGreaterThan(3);
    expect(new Set(bed.collector.spans.map(({ traceId }) => traceId)).size).toBe(1);
    const lines = server.process.lines.filter(({ operation }) => operation === "Make");
    expect(lines.map(({ trace_id }) => trace_id)).toEqual([
      expect.stringMatching(/^[0-9a-f]{32}$/),
      spans[0]?.traceId,
    ]);
  });

  test.each<[string, Record<string, string>]>([
    ["that its caller does not record sends no span", continuingUnsampled()],
    ["that the sampler may leave out sends all of its spans or none", {}],
  ])("a request %s", async (_title, headers) => {
    const server = await bed.start("embedded", {
      ...bed.collector.environment,
      OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
      OTEL_TRACES_SAMPLER_ARG: "0.5",
      TELEGRAM_UPDATES: "off",
    });
    for (let requests = 0; requests < 40; requests += 1)
      await server.ask(requests % 4 === 0 ? MAKE : "{ viewer { name } }", { name: "One" }, headers);
    // Its spans are sent after those of the earlier requests.
    const last = await server.traced(MAKE, { name: "Seen" });
    const others = bed.collector.spans.filter(({ traceId }) => traceId !== last[0]?.traceId);
    // The server's own work has traces of its own.
    const roots = others.filter(({ parentId }) => parentId === undefined).map(({ name }) => name);
    const ofRequests = /^(?:POST|query|mutation|telegram createChatInviteLink)\b/;
    const expected = "traceparent" in headers ? [] : ["POST /graphql"];
    expect([...new Set(roots.filter((name) => ofRequests.test(name)))]).toEqual(expected);
  });

  test("an outage of the collector changes nothing but two lines of the log", async () => {
    const { port } = bed.collector;
    await bed.collector.close();
    const server = await bed.start("embedded", {
      ...environmentAt(port),
      // Shorter than the pause before a repetition.
      OTEL_EXPORTER_OTLP_TIMEOUT: "500",
    });
    const about = () => server.process.lines.filter(({ msg }) => msg.startsWith("traces "));
    const untilLines = async (count: number) => {
      while (about().length < count) {
        const { data } = await server.ask("{ viewer { name } }");
        expect(data.viewer.name).toEqual(expect.any(String));
      }
    };
    await untilLines(1);
    for (let requests = 0; requests < 200; requests += 1) await server.ask("{ viewer { name } }");
    bed.collector = await Collector.listen(port);
    await untilLines(2);
    expect(about()).toMatchObject([
      { level: "warn", reason: expect.stringContaining("ECONNREFUSED") },
      { level: "info" },
    ]);
    expect(await server.process.end("SIGTERM")).toBe(0);
    expect(server.process.stderr).toBe("");
  });

  test("a collector that never answers does not keep the server from stopping", async () => {
    const silent = createServer(() => {});
    await once(silent.listen(0, "127.0.0.1"), "listening");
    onTestFinished(() => silent.closeAllConnections());
    const { port } = silent.address() as AddressInfo;
    const server = await bed.start("embedded", {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      // The server itself must end the wait before its own limit.
      OTEL_EXPORTER_OTLP_TIMEOUT: "600000",
      OTEL_BSP_EXPORT_TIMEOUT: "600000",
    });
    await server.ask(MAKE, { name: "One" });
    expect(await server.process.end("SIGTERM")).toBe(0);
    expect(server.process.stderr).toBe("");
  });
});

import { Agent, type IncomingHttpHeaders, request } from "node:http";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { schema } from "../src/graphql/schema.js";
import {
  type Draw,
  drawOne,
  type ExistingValues,
  everyArgument,
  ODD_NUMBERS,
  ODD_VALUES,
  oddText,
  onceIn,
  operationOf,
} from "./support/fuzzing.js";
import { givenSeed, recordRuns, repeatWith } from "./support/properties.js";
import {
  CHANNEL,
  CREATIVE,
  GROUP,
  GROUP_TAG,
  PLATFORM,
  startTestServer,
  type TestServer,
  YOUTUBE,
} from "./support/server.js";

// Sends odd requests to everything that the server answers, for FUZZ_SECONDS (60 by default). TEST_SEED chooses the requests.
// The default is 1, so that all usual runs send the same requests and a failure is due to a change. A failure names the seed
// of its round.

const SECONDS = Number(process.env["FUZZ_SECONDS"] || 60);
const SEED = givenSeed ?? 1;
/** Runs in one round. After each round the test checks that the server still answers. */
const RUNS = 20;
const AT_ONCE = 6;
const ADMIN_TOKEN = "the-token-of-the-fuzz-test";
const ANSWER_WITHIN_MS = 60_000;
/** Error codes that a busy machine may cause. */
const BUSY_CODES = ["TELEGRAM_UNAVAILABLE", "DATABASE_UNAVAILABLE", "RATE_LIMITED"];

let server: TestServer;
let existing: ExistingValues;
let routes: Route[];
const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });

beforeAll(async () => {
  server = await startTestServer({ adminToken: ADMIN_TOKEN, logLevel: "warn", telegramTimeoutMs: 1_000 });
  const { data } = await server.ask(`{
    inviteLinks(channelId: ${CHANNEL}, first: 20) { nodes { id } edges { cursor } }
    tags(channelId: ${CHANNEL}) { nodes { id } edges { cursor } }
    tagTypes { id } apiTokens { id } channels { nodes { id } }
  }`);
  const idsOf = (things: { id: string }[]) => things.map(({ id }) => id);
  const ids = [
    data.inviteLinks.nodes,
    data.tags.nodes,
    data.tagTypes,
    data.apiTokens,
    data.channels.nodes,
  ].flatMap(idsOf);
  const bare = ids.map((id) => atob(id).split(":")[1] ?? "");
  existing = {
    ID: [...ids, ...bare, YOUTUBE, PLATFORM, CREATIVE, GROUP_TAG],
    TelegramID: [CHANNEL, CHANNEL, CHANNEL, GROUP, String(CHANNEL), -5],
  };
  const openapi = await (await fetch(`${server.origin}/openapi.json`)).json();
  routes = routesOf(openapi as OpenAPI);
});
afterAll(async () => {
  agent.destroy();
  await server.stop();
});

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body?: Buffer;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Uses node:http, since fetch() refuses to send invalid requests. */
function send({ method, path, headers, body }: Sent): Promise<Answer> {
  const { hostname, port } = new URL(server.origin);
  return new Promise((resolve, reject) => {
    const sending = request(
      {
        hostname,
        port,
        method,
        path,
        agent,
        headers: { ...headers, ...(body && { "content-length": String(body.length) }) },
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks),
          }),
        );
      },
    );
    sending.on("error", reject);
    sending.end(body);
  });
}

interface Failure {
  readonly message?: unknown;
  readonly extensions?: { readonly code?: unknown; readonly requestId?: unknown };
}

function checkGraphQL(status: number, text: string): void {
  const { data, errors } = JSON.parse(text) as { data?: unknown; errors?: Failure[] };
  if (errors === undefined) {
    expect(status).toBe(200);
    expect(data).toBeTypeOf("object");
    return;
  }
  expect(errors.length).toBeGreaterThan(0);
  for (const { message, extensions } of errors) {
    expect(message).toBeTypeOf("string");
    expect(extensions?.code).toBeTypeOf("string");
    expect(extensions?.code).not.toBe("INTERNAL_SERVER_ERROR");
    expect(extensions?.requestId).toBeTypeOf("string");
  }
  const codes = errors.map(({ extensions }) => extensions?.code);
  if (status >= 500) expect(codes.some((code) => BUSY_CODES.includes(String(code)))).toBe(true);
}

function checkRefusal(status: number, text: string): void {
  const { detail, outcome_unknown } = JSON.parse(text) as { detail?: unknown; outcome_unknown?: unknown };
  if (status === 422) {
    expect(detail).toBeInstanceOf(Array);
    for (const problem of detail as object[]) {
      expect(problem).toEqual({ loc: expect.any(Array), msg: expect.any(String), type: expect.any(String) });
    }
  } else {
    expect(detail).toBeTypeOf("string");
    expect(detail).not.toBe("");
  }
  if (status >= 500 && status !== 503)
    expect([status, typeof outcome_unknown]).toEqual([expect.toBeOneOf([502, 504]), "boolean"]);
}

/** Checks that an answer has the form that its route promises. */
function check(sent: Sent, { status, headers, body }: Answer): void {
  expect(status).not.toBe(500);
  expect(headers["x-request-id"]).toBeTypeOf("string");
  if (sent.method === "HEAD" || status === 204 || status === 304) {
    expect(body).toHaveLength(0);
    return;
  }
  const text = body.toString();
  if (sent.path === "/readyz" && status === 503) {
    expect(JSON.parse(text)).toMatchObject({ status: expect.any(String) });
    return;
  }
  const type = String(headers["content-type"] ?? "");
  const isJson = /^application\/(graphql-response\+)?json(;|$)/.test(type);
  const isGraphQL = sent.method !== "OPTIONS" && /^\/graphql\/?(\?|$)/.test(sent.path);
  if (isGraphQL && isJson) checkGraphQL(status, text);
  else if (status >= 400) {
    // A client that asks for an event stream gets the error as an event.
    if (isGraphQL && /^text\/event-stream(;|$)/.test(type)) {
      const [, event = ""] = /^data: (.+)$/m.exec(text) ?? [];
      checkGraphQL(status, event);
      return;
    }
    expect(type).toMatch(/^application\/(graphql-response\+)?json(;|$)/);
    checkRefusal(status, text);
  } else if (isJson) JSON.parse(text);
}

async function sendAndCheck(sent: Sent): Promise<void> {
  const answer = await send(sent);
  try {
    check(sent, answer);
  } catch (error) {
    const told = { ...sent, body: sent.body?.subarray(0, 2_000).toString() };
    const heard = { ...answer, body: answer.body.subarray(0, 2_000).toString() };
    const { message } = error as Error;
    throw new Error(`${message}\nasked ${JSON.stringify(told)}\nanswered ${JSON.stringify(heard)}`, {
      cause: error,
    });
  }
}

/** Fails if the server has logged a failure of its own, since here every failure is the caller's. */
function checkLog(): void {
  expect(server.log.filter(({ level }) => level === "error" || level === "fatal")).toEqual([]);
}

const AUTHORIZED = { authorization: `Bearer ${ADMIN_TOKEN}` };
const JSON_TYPE = { "content-type": "application/json" };
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const operationRequest = (operation: object): Sent => ({
  method: "POST",
  path: "/graphql",
  headers: { ...AUTHORIZED, ...JSON_TYPE },
  body: json(operation),
});

async function checkAlive(): Promise<void> {
  const answer = await send(operationRequest({ query: "{ viewer { name } }" }));
  expect([answer.status, answer.body.toString()]).toEqual([200, expect.stringContaining('"viewer"')]);
  // The database may be busy for a moment with earlier requests.
  const readiness = async () => (await send({ method: "GET", path: "/readyz", headers: {} })).status;
  await expect.poll(readiness, { timeout: ANSWER_WITHIN_MS }).toBe(200);
  checkLog();
}

interface OpenAPI {
  readonly paths: Record<string, Record<string, OpenAPIOperation>>;
  readonly components?: { readonly schemas?: Record<string, JsonSchema> };
}
interface OpenAPIOperation {
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
  }[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema?: JsonSchema }> };
}
interface JsonSchema {
  readonly type?: string;
  readonly properties?: Record<string, JsonSchema>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly $ref?: string;
}
interface Route extends OpenAPIOperation {
  readonly method: string;
  readonly path: string;
  readonly resolve: (schema: JsonSchema) => JsonSchema;
}

function routesOf({ paths, components }: OpenAPI): Route[] {
  const resolve = (form: JsonSchema): JsonSchema =>
    form.$ref === undefined ? form : (components?.schemas?.[form.$ref.split("/").at(-1) ?? ""] ?? {});
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      ...operation,
      method: method.toUpperCase(),
      path,
      resolve,
    })),
  );
}

function restValue(draw: Draw, name: string): unknown {
  if (onceIn(draw, 4)) return drawOne(draw, ODD_VALUES);
  if (/channel/.test(name)) return drawOne(draw, existing["TelegramID"] ?? []);
  if (/id|tags|links/.test(name)) return drawOne(draw, existing["ID"] ?? []);
  if (/page|limit|budget/.test(name)) return drawOne(draw, [1, 2, -1, 10, ...ODD_NUMBERS]);
  if (/fields/.test(name)) return drawOne(draw, ["name", "-name", "created_at", "budget", ""]);
  return drawOne(draw, ["a", "#00ff00", "name", "USD", ...ODD_VALUES]);
}

function bodyOf(draw: Draw, form: JsonSchema, resolve: Route["resolve"], name = ""): unknown {
  const { type, properties, required = [], items, anyOf, enum: values } = resolve(form);
  if (onceIn(draw, 25)) return drawOne(draw, ODD_VALUES);
  if (anyOf) return bodyOf(draw, drawOne(draw, anyOf), resolve, name);
  if (values) return drawOne(draw, values);
  if (properties) {
    const fields = Object.entries(properties).filter(([key]) => required.includes(key) || onceIn(draw, 2));
    return Object.fromEntries(fields.map(([key, of]) => [key, bodyOf(draw, of, resolve, key)]));
  }
  if (items)
    return Array.from({ length: draw(fc.nat, { max: 3 }) }, () => bodyOf(draw, items, resolve, name));
  if (type === "null") return null;
  if (type === "boolean") return draw(fc.boolean);
  return restValue(draw, name);
}

const inAddress = (value: unknown): string => {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  return encodeURIComponent(text.toWellFormed().slice(0, 2_000));
};

function restRequest(draw: Draw): Sent {
  const route = drawOne(draw, routes);
  const given = (route.parameters ?? []).filter(({ required }) =>
    required ? !onceIn(draw, 20) : onceIn(draw, 2),
  );
  const path = route.path.replace(
    /\{(\w+)\}/g,
    (_whole, name: string) => inAddress(restValue(draw, name)) || "x",
  );
  const query = given
    .filter((parameter) => parameter.in === "query")
    .map(({ name }) => `${name}=${inAddress(restValue(draw, name))}`);
  const headers: Record<string, string> = { ...AUTHORIZED };
  for (const { name } of given.filter((parameter) => parameter.in === "header"))
    headers[name] = drawOne(draw, ["a-key", "b", "x".repeat(300), "é", " "]);
  const form = Object.values(route.requestBody?.content ?? {})[0]?.schema;
  const body = form && !onceIn(draw, 10) ? { body: json(bodyOf(draw, form, route.resolve)) } : {};
  if (form) Object.assign(headers, JSON_TYPE);
  return { method: route.method, path: `${path}?${query.join("&")}`, headers, ...body };
}

const METHODS = [
  "GET",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "OPTIONS",
  "HEAD",
  "TRACE",
  "PROPFIND",
  "QUERY",
  "LOCK",
];
const TYPES = [
  "application/json",
  "application/json; charset=utf-8",
  'application/json; charset="UTF-8"',
  "application/json; charset=utf8",
  "application/json; charset=iso-8859-1",
  "application/json; charset=utf-16",
  "application/json;charset",
  "application/json; boundary=x; charset=us-ascii",
  "APPLICATION/JSON",
  "application/graphql",
  "application/x-www-form-urlencoded",
  "multipart/form-data; boundary=x",
  "text/plain",
  "application/",
  "/",
  ";",
  "é/json",
];
const ACCEPTS = [
  "*/*",
  "application/json",
  'application/json; charset="utf-8"',
  "application/json; charset=iso-8859-1",
  "application/json;q=0",
  "application/graphql-response+json",
  "application/graphql-response+json;q=0.5, application/json;q=0.9",
  "text/event-stream",
  "text/html",
  "text/plain",
  "image/*",
  "application/*;q=x",
  ",",
  ";q=1",
  "",
];
const ENCODINGS = ["identity", "gzip", "br", "deflate", "gzip, gzip", "x", ""];
const PATHS = [
  "/graphql",
  "/graphql",
  "/graphql/",
  "/graphql?query=%7Bviewer%7Bname%7D%7D",
  "/graphql?query=%7Bviewer%7Bname%7D%7D&variables=%7B&extensions=5",
  "/graphql?query=%E9&query=a&operationName=%00",
  "/graphql?variables=[[[[",
  "/graphql?%",
  "/healthz",
  "/readyz",
  "/metrics",
  "/",
  "/index.html",
  "/assets/",
  "/assets/..%2f..%2fpackage.json",
  "/assets/%00",
  "/docs",
  "/docs/",
  "/docs/static/index.css",
  "/docs/static/%2e%2e/%2e%2e",
  "/docs/json",
  "/openapi.json",
  "/telegram/webhook",
  "/invite_links/all?channel_id=5",
  "/invite_links",
  "/invite_links/x",
  "/invite_links/%E9?channel_id=5",
  "/tags/x?name=caf%E9",
  "/tags?channel_id=5&channel_id=6&limit=-1",
  "/tags/types?a[b]=c&__proto__=d",
  "/tags//",
  "/%",
  "/%ff",
  "/..",
  "//graphql",
  "/graphql%00",
  "/a;b=c?d#e",
  `/${"x".repeat(5_000)}`,
];

const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

function oddBody(draw: Draw): Buffer {
  const plain = json(operationOf(draw, schema, existing));
  switch (draw(fc.nat, { max: 9 })) {
    case 0:
      return Buffer.from(draw(fc.uint8Array, { maxLength: 200 }));
    case 1:
      return gzipSync(plain);
    case 2:
      return Buffer.concat([BOM, plain]);
    case 3:
      return plain.subarray(0, draw(fc.nat, { max: plain.length }));
    case 4: {
      const opening = drawOne(draw, ["[", '{"query":', '{"variables":{"a":']);
      return Buffer.from(opening.repeat(draw(fc.nat, { max: 20_000 })));
    }
    case 5:
      return Buffer.from(JSON.stringify(draw(fc.jsonValue, { maxDepth: 4 })));
    case 6:
      return Buffer.from(plain.toString(), "utf16le");
    case 7:
      return Buffer.concat([
        plain.subarray(0, -1),
        Buffer.from(',"query":"{ viewer { name } }","__proto__":1}'),
      ]);
    case 8:
      return json({
        query: drawOne(draw, ODD_VALUES),
        operationName: drawOne(draw, ODD_VALUES),
        variables: drawOne(draw, ODD_VALUES),
        extensions: drawOne(draw, ODD_VALUES),
      });
    default:
      // A byte in the middle that is not UTF-8.
      return Buffer.concat([
        plain.subarray(0, 20),
        Buffer.from([draw(fc.nat, { max: 255 })]),
        plain.subarray(20),
      ]);
  }
}

const ALL_HEADERS: Record<string, (draw: Draw) => string> = {
  "content-type": (draw) => drawOne(draw, TYPES),
  accept: (draw) => drawOne(draw, ACCEPTS),
  "accept-encoding": (draw) => drawOne(draw, ENCODINGS),
  "content-encoding": (draw) => drawOne(draw, ENCODINGS),
  "x-request-id": (draw) => drawOne(draw, ["mine", "", "a b", "x".repeat(200), "é"]),
  origin: (draw) => drawOne(draw, ["https://app.example", "null", "x"]),
  "access-control-request-method": (draw) => drawOne(draw, ["POST", "x", ""]),
  "if-none-match": (draw) => drawOne(draw, ["*", "W/"]),
  range: (draw) => drawOne(draw, ["bytes=0-1", "bytes=9-1", "x"]),
  "last-event-id": (draw) => drawOne(draw, ["1", "é", ""]),
  "idempotency-key": (draw) => drawOne(draw, ["a", "", "é"]),
  "x-telegram-bot-api-secret-token": (draw) => drawOne(draw, ["a", ""]),
  "x-forwarded-for": (draw) => drawOne(draw, ["1.2.3.4", "x, y", "::"]),
  expect: (draw) => drawOne(draw, ["100-continue", "100-Continue", "200-ok", ""]),
  cookie: () => "a=b; c",
};

function oddRequest(draw: Draw): Sent {
  const method = drawOne(draw, onceIn(draw, 2) ? METHODS : ["GET", "POST"]);
  const headers: Record<string, string> = onceIn(draw, 5)
    ? { authorization: drawOne(draw, ["Bearer", "Bearer x", "Basic eDp5", "Bearer é", "bearer  y"]) }
    : { ...AUTHORIZED };
  if (!onceIn(draw, 5)) Object.assign(headers, JSON_TYPE);
  for (const [name, make] of Object.entries(ALL_HEADERS)) if (onceIn(draw, 6)) headers[name] = make(draw);
  const path = onceIn(draw, 10) ? `/${inAddress(oddText(draw))}` : drawOne(draw, PATHS);
  const hasBody = method === "POST" || onceIn(draw, 3);
  return { method, path, headers, ...(hasBody && { body: oddBody(draw) }) };
}

function graphqlRequest(draw: Draw): Sent {
  const { query, variables } = operationOf(draw, schema, existing);
  if (!onceIn(draw, 8)) return operationRequest({ query, variables });
  const params = new URLSearchParams({ query, variables: JSON.stringify(variables) });
  return { method: "GET", path: `/graphql?${params.toString().slice(0, 8_000)}`, headers: AUTHORIZED };
}

const MAKERS = [graphqlRequest, graphqlRequest, restRequest, oddRequest];

/** Runs rounds until the time is over. @returns the number of runs. */
async function runRounds(end: number): Promise<number> {
  let runs = 0;
  for (let seed = SEED; performance.now() < end; seed += 1) {
    const property = fc.asyncProperty(fc.gen(), async (draw) => {
      if (performance.now() >= end) return;
      runs += 1;
      const requests = Array.from({ length: AT_ONCE }, () => drawOne(draw, MAKERS)(draw));
      const outcomes = await Promise.allSettled(requests.map(sendAndCheck));
      const failed = outcomes.find((outcome) => outcome.status === "rejected");
      if (failed) throw failed.reason;
      checkLog();
    });
    const { failed, errorInstance } = await fc.check(property, { seed, numRuns: RUNS, endOnFailure: true });
    const repeat = repeatWith(seed);
    if (failed) throw new Error(`${repeat} ${(errorInstance as Error).message}`, { cause: errorInstance });
    await checkAlive().catch((error: Error) => {
      throw new Error(`${repeat} ${error.message}`, { cause: error });
    });
  }
  recordRuns({ planned: runs, begun: runs, seed: SEED });
  return runs;
}

/** Shuffles by the seed, so that runs that end early with different seeds send different requests. */
function shuffled<Value>(values: Value[]): Value[] {
  const [order = []] = fc.sample(fc.shuffledSubarray(values, { minLength: values.length }), {
    seed: SEED,
    numRuns: 1,
  });
  return order;
}

const LIMIT_MS = (SECONDS + 120) * 1_000;

test("the server fails for no odd value of any argument", { timeout: LIMIT_MS }, async () => {
  const end = performance.now() + (SECONDS * 1_000) / 2;
  const waiting = shuffled([...everyArgument(schema, existing)]);
  let sent = 0;
  const work = async () => {
    for (let next = waiting.pop(); next !== undefined && performance.now() < end; next = waiting.pop()) {
      const { what, ...operation } = next;
      sent += 1;
      await sendAndCheck(operationRequest(operation)).catch((error: Error) => {
        throw new Error(`${what}: ${error.message} ${repeatWith(SEED)}`, { cause: error });
      });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  await checkAlive();
  expect(sent).toBeGreaterThan(0);
});

test("the server answers every odd request in the form that its route promises", {
  timeout: LIMIT_MS,
}, async () => {
  expect(await runRounds(performance.now() + (SECONDS * 1_000) / 2)).toBeGreaterThan(0);
});

import { Ajv2020 as Ajv } from "ajv/dist/2020.js";
import formatsOf from "ajv-formats";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CHANNEL, PLATFORM, startTestServer, type TestServer, YOUTUBE } from "../../support/server.js";
import { callerOf } from "./support.js";

interface Schema {
  readonly type?: string | readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
}

interface Parameter {
  readonly in: "query" | "path" | "header";
  readonly name: string;
  readonly required?: boolean;
  readonly schema: Schema;
}

interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: {
    readonly required?: boolean;
    readonly content: Readonly<Record<string, { readonly schema: Schema }>>;
  };
  readonly responses: Readonly<Record<string, { readonly content: Readonly<Record<string, object>> }>>;
}

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

let server: TestServer;
let document: Document;
let ajv: Ajv;
let linkId: string;
const call = callerOf(() => server);
beforeAll(async () => {
  // With a limit, the cost of each call is computed from its parameters.
  server = await startTestServer({ logLevel: "info", rateLimit: 1_000_000_000 });
  document = (await call("GET", "/openapi.json", { token: null })).body;
  ajv = new Ajv({ strict: false, allErrors: true });
  formatsOf.default(ajv);
  // These formats name the number types of programs; they do not restrict values.
  for (const format of ["int32", "int64"]) ajv.addFormat(format, true);
  ajv.addSchema(document, "api");
  const made = await call("POST", "/invite_links", { body: NEW_LINK });
  expect(made).toMatchObject({ status: 201 });
  linkId = made.body.id;
  known.push(linkId);
});
afterAll(() => server.stop());

function operationOf(method: string, path: string): Operation {
  const operation = document.paths[path]?.[method];
  if (!operation) throw new Error(`There is no ${method} ${path}.`);
  return operation;
}

/** Escapes a part of a JSON pointer. */
const escaped = (key: string) => encodeURIComponent(key.replaceAll("~", "~0").replaceAll("/", "~1"));

/** The differences between an answer and the description of its operation; empty if there are none. */
function undescribed(path: string, method: string, status: number, body: unknown): unknown {
  const way = ["paths", path, method, "responses", String(status), "content", "application/json", "schema"];
  const validate = ajv.getSchema(`api#/${way.map(escaped).join("/")}`);
  if (!validate) return `${method} ${path} says nothing of ${status}`;
  return validate(body) ? [] : validate.errors;
}

// Requests ──────────────────────────────────────────────────────────────────────────────────────

const known = [YOUTUBE, PLATFORM, btoa(`Tag:${YOUTUBE}`), "01991000-0000-7000-8000-0000000fffff"];
const NAMED: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  channel_id: fc.constantFrom(CHANNEL, CHANNEL, CHANNEL, -1009876543210, 5),
  page: fc.integer({ min: 1, max: 4 }),
  limit: fc.constantFrom(-1, 1, 10, 100, 100_000),
  color: fc.constant("#123456"),
};

/** Values that match a schema. */
function valid(schema: Schema, name = ""): fc.Arbitrary<unknown> {
  const named = NAMED[name];
  if (named) return fc.oneof({ arbitrary: named, weight: 9 }, { arbitrary: ofType(schema), weight: 1 });
  return ofType(schema);
}

function ofType(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map((form) => valid(form)));
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.format === "date-time")
    return fc.date({ noInvalidDate: true, min: new Date(0) }).map((at) => at.toISOString());
  switch (schema.type) {
    case "null":
      return fc.constant(null);
    case "boolean":
      return fc.boolean();
    case "integer":
      return fc.integer({ min: schema.minimum ?? -(2 ** 31), max: schema.maximum ?? 2 ** 31 - 1 });
    case "number":
      return fc.oneof(fc.integer({ min: 0, max: 1000 }), fc.double());
    case "array":
      return fc.array(valid(schema.items ?? {}), { maxLength: 3 });
    case "object": {
      const properties = Object.entries(schema.properties ?? {});
      return fc.record(Object.fromEntries(properties.map(([key, value]) => [key, valid(value, key)])), {
        requiredKeys: [...(schema.required ?? [])],
      });
    }
    default:
      return fc.oneof(fc.constantFrom(...known), fc.string({ unit: "binary", maxLength: 40 }));
  }
}

/** Odd values, many of which match no schema. */
const odd = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom(
    "",
    "\0",
    "null",
    "-0",
    "1e999",
    "९",
    "x".repeat(5000),
    -0,
    2 ** 53,
    1e308,
    true,
    [],
    {},
    "%",
    "\ud800",
  ),
);
const either = (schema: Schema, name: string): fc.Arbitrary<unknown> =>
  fc.oneof({ arbitrary: valid(schema, name), weight: 4 }, { arbitrary: odd, weight: 1 });

interface Request {
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

const asText = (value: unknown): string =>
  typeof value === "object" ? JSON.stringify(value) : String(value);

function requests(path: string, { parameters = [], requestBody }: Operation): fc.Arbitrary<Request> {
  const given = Object.fromEntries(
    parameters.map((parameter) => {
      const value = either(parameter.schema, parameter.name);
      return [
        parameter.name,
        parameter.required
          ? fc.option(value, { nil: undefined, freq: 20 })
          : fc.option(value, { nil: undefined, freq: 2 }),
      ];
    }),
  );
  const schema = requestBody?.content["application/json"]?.schema;
  const body = schema
    ? fc.oneof({ arbitrary: either(schema, ""), weight: 9 }, { arbitrary: fc.constant(undefined), weight: 1 })
    : fc.constant(undefined);
  return fc.tuple(fc.record(given), body).map(([values, sent]) => {
    const query: string[] = [];
    const headers: Record<string, string> = {};
    let filled = path;
    for (const { in: place, name } of parameters) {
      const value = values[name];
      const encoded = (most: number) =>
        encodeURIComponent([...asText(value ?? "x").toWellFormed()].slice(0, most).join(""));
      const text = encoded(1000);
      if (place === "path") filled = filled.replace(`{${name}}`, encoded(60) || "x");
      else if (value !== undefined && place === "header") headers[name] = text.slice(0, 300);
      else if (Array.isArray(value))
        query.push(...value.map((one) => `${name}=${encodeURIComponent(asText(one).toWellFormed())}`));
      else if (value !== undefined) query.push(`${name}=${text}`);
    }
    return { path: query.length > 0 ? `${filled}?${query.join("&")}` : filled, headers, body: sent };
  });
}

const NEW_LINK = { channel_id: CHANNEL, name: "New" };
const NEW_TAG = { channel_id: CHANNEL, name: "New", color: "#123456", tag_type_id: PLATFORM };

const CHANGED_TAG = { channel_id: `${CHANNEL}`, name: "Changed", color: "#654321", type_id: PLATFORM };

/** Each operation with a request that succeeds, because random requests rarely do. */
const OPERATIONS: readonly (readonly [
  method: string,
  path: string,
  status: number,
  granted: () => Request,
])[] = [
  [
    "get",
    "/invite_links/{invite_link_id}",
    200,
    () => ({ path: `/invite_links/${linkId}?channel_id=${CHANNEL}` }),
  ],
  ["post", "/invite_links/all", 200, () => ({ path: `/invite_links/all?channel_id=${CHANNEL}` })],
  ["post", "/invite_links", 201, () => ({ path: "/invite_links", body: NEW_LINK })],
  ["get", "/tags", 200, () => ({ path: `/tags?channel_id=${CHANNEL}` })],
  ["post", "/tags", 201, () => ({ path: "/tags", body: NEW_TAG })],
  ["get", "/tags/types", 200, () => ({ path: "/tags/types" })],
  ["get", "/tags/{tag_id}", 200, () => ({ path: `/tags/${YOUTUBE}` })],
  ["patch", "/tags/{tag_id}", 200, () => ({ path: `/tags/${YOUTUBE}?${new URLSearchParams(CHANGED_TAG)}` })],
];

/** Operations whose bodies are files; transfer.test.ts tests them. */
const OF_FILES = ["get /export", "post /import"];

describe("/openapi.json", () => {
  test("the document describes exactly the routes of the API", () => {
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    expect(document.openapi).toMatch(/^3\.1/);
    const operations = OPERATIONS.map(([method, path]) => `${method} ${path}`);
    expect(described.sort()).toEqual([...operations, ...OF_FILES].sort());
  });

  test("the document states defaults and optional bodies", () => {
    const { parameters = [], requestBody } = operationOf("post", "/invite_links/all");
    const defaults = parameters.map(({ name, schema }) => [name, (schema as { default?: unknown }).default]);
    expect(Object.fromEntries(defaults)).toMatchObject({
      page: 1,
      limit: 10,
      ordered_fields: ["-created_at"],
    });
    expect(requestBody?.required).toBe(false);
    expect(operationOf("post", "/invite_links").requestBody?.required).toBe(true);
  });

  test("the checker of answers finds undocumented answers", () => {
    const body = { detail: [{ loc: ["body", null], msg: "x", type: "y" }] };
    expect(undescribed("/tags", "get", 422, body)).toMatchObject([
      { instancePath: "/detail/0/loc/1" },
      {},
      {},
    ]);
    expect(undescribed("/tags", "get", 418, {})).toEqual("get /tags says nothing of 418");
  });

  // Every answer is one that the document describes, and never a 500.
  test.each(OPERATIONS)(
    "%s %s gives only documented answers to random requests",
    async (method, path, status, granted) => {
      const operation = operationOf(method, path);
      const statuses = new Set<number>();
      const ask = async (request: Request) => {
        const answer = await call(method.toUpperCase(), request.path, request);
        statuses.add(answer.status);
        expect(answer.status).toBeLessThan(500);
        expect({ request, said: undescribed(path, method, answer.status, answer.body) }).toEqual({
          request,
          said: [],
        });
        expect(answer.headers.get("x-request-id")).toBeTruthy();
      };
      await ask(granted());
      expect([...statuses]).toEqual([status]);
      await fc.assert(fc.asyncProperty(requests(path, operation), ask), { numRuns: 120 });
      expect(server.log.filter(({ level }) => level === "error")).toEqual([]);
      if (path !== "/tags/types") expect([...statuses]).toContain(422);
    },
  );
});

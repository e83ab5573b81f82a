import { getIntrospectionQuery, Lexer, Source, TokenKind } from "graphql";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Domain } from "../../../src/domain/request.js";
import type { Caller } from "../../../src/domain/shared/caller.js";
import { globalId, newId } from "../../../src/domain/shared/ids.js";
import { Operations } from "../../../src/graphql/pipeline/executeOperation.js";
import { LIMITS } from "../../../src/graphql/pipeline/limits.js";
import type { OperationParameters, OperationResult } from "../../../src/graphql/pipeline/operation.js";
import { AutomaticDocuments } from "../../../src/graphql/pipeline/persistedDocuments.js";
import { schema } from "../../../src/graphql/schema.js";
import { createLog } from "../../../src/log.js";
import { CHANNEL, startTestServer, type TestServer } from "../../support/server.js";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

/** The codes that a refusal may have. All of them blame the request and not the server. */
const REFUSAL_CODES = [
  "GRAPHQL_PARSE_FAILED",
  "GRAPHQL_VALIDATION_FAILED",
  "QUERY_TOO_DEEP",
  "QUERY_TOO_LONG",
  "BAD_USER_INPUT",
  "BAD_REQUEST",
];
const DEPTHS = [1, 2, 12, 13, 63, 64, 65, 400, 1_000, 5_000, 20_000, 100_000];
/** The largest body that the server reads, in bytes. */
const BODY_LIMIT = 1024 * 1024;

const wrapped = (open: string, inner: string, close: string, depth: number): string =>
  open.repeat(depth) + inner + close.repeat(depth);
const chain = (depth: number, spread: (next: string) => string, last: string): string =>
  `{ ...f0 } ${Array.from({ length: depth }, (_, index) => `fragment f${index} on Query { ${spread(`...f${index + 1}`)} }`).join(" ")} fragment f${depth} on Query { ${last} }`;
const viewer = "viewer { name }";

/** Documents that are nested in every way that GraphQL allows. */
const DOCUMENTS: Record<string, (depth: number) => string> = {
  "leaf fields with a selection": (depth) => `{ viewer ${wrapped("{ name ", "", "}", depth)} }`,
  "fields with a selection": (depth) =>
    `{ tag(id: "x") ${wrapped("{ inviteLinks { nodes { tags ", "{ name }", "} } }", depth)} }`,
  "selection sets without an end": (depth) => "{ viewer ".repeat(depth),
  "inline fragments": (depth) => `{ ${wrapped("... on Query { ", viewer, "}", depth)} }`,
  "inline fragments without a type": (depth) =>
    `{ ${wrapped("... @include(if: true) { ", viewer, "}", depth)} }`,
  "list literals": (depth) => `{ nodes(ids: ${wrapped("[", "", "]", depth)}) { id } }`,
  "list literals without an end": (depth) => `{ inviteLinks(channelId: ${"[".repeat(depth)}`,
  "list literals for a scalar": (depth) => `{ channel(telegramId: ${wrapped("[", "5", "]", depth)}) { id } }`,
  "object literals": (depth) =>
    `{ inviteLinks(channelId: 5, filter: ${wrapped("{ tagGroups: ", "[]", "}", depth)}) { totalCount } }`,
  "object literals without an end": (depth) => `{ channel(telegramId: ${"{a:".repeat(depth)}`,
  "types of variables": (depth) =>
    `query ($ids: ${wrapped("[", "ID", "]", depth)}) { nodes(ids: $ids) { id } }`,
  "defaults of variables": (depth) =>
    `query ($ids: [ID!]! = ${wrapped("[", "", "]", depth)}) { nodes(ids: $ids) { id } }`,
  "arguments of directives": (depth) =>
    `{ viewer @include(if: ${wrapped("[", "true", "]", depth)}) { name } }`,
  "arguments of directives of the operation": (depth) =>
    `query @unknown(a: ${wrapped("{ a: ", "1", "}", depth)}) { ${viewer} }`,
  parentheses: (depth) => `{ viewer${"(".repeat(depth)}`,
  introspection: (depth) =>
    `{ __schema { types { fields { type ${wrapped("{ ofType ", "{ name }", "}", depth)} } } } }`,
  "a chain of fragments": (depth) => chain(depth, (next) => next, viewer),
  "a chain of fragments, each of which spreads the next twice": (depth) =>
    chain(depth, (next) => `${next} ${next}`, viewer),
  "a chain of fragments beneath inline fragments": (depth) =>
    chain(depth, (next) => `... on Query { ${next} }`, viewer),
  "a chain of fragments that is written backwards": (depth) =>
    `${Array.from({ length: depth }, (_, index) => `fragment f${index + 1} on Query { ...f${index} }`).join(" ")} fragment f0 on Query { ${viewer} } { ...f${depth} }`,
  "a chain of fragments that nobody spreads": (depth) =>
    `{ ${viewer} } ${chain(depth, (next) => next, viewer).replace("{ ...f0 }", "")}`,
  "a cycle of fragments": (depth) => chain(depth, (next) => next, "...f0"),
  "a cycle of fragments of every two": (depth) =>
    chain(depth, (next) => `${next} ...f0 ... { ...f${Math.floor(depth / 2)} }`, "...f0"),
};

const nested = (depth: number): string => wrapped("[", "", "]", depth);
const nestedObject = (depth: number): string => wrapped('{"tagGroups":', "null", "}", depth);

/** Bodies whose JSON is nested outside the document. */
const BODIES: Record<string, (depth: number) => string> = {
  "a list's variable": (depth) =>
    `{"query":"query ($v: [ID!]!) { nodes(ids: $v) { id } }","variables":{"v":${nested(depth)}}}`,
  "a scalar's variable": (depth) =>
    `{"query":"query ($v: TelegramID!) { channel(telegramId: $v) { id } }","variables":{"v":${nested(depth)}}}`,
  "a string's variable": (depth) =>
    `{"query":"query ($v: String) { tags(channelId: 5, name: $v) { totalCount } }","variables":{"v":${nestedObject(depth)}}}`,
  "an input object's variable": (depth) =>
    `{"query":"query ($v: InviteLinkFilter) { inviteLinks(channelId: 5, filter: $v) { totalCount } }","variables":{"v":${nestedObject(depth)}}}`,
  "a condition's variable": (depth) =>
    `{"query":"query ($v: Boolean!) { viewer @include(if: $v) { name } }","variables":{"v":${nested(depth)}}}`,
  "a mutation's variable": (depth) =>
    `{"query":"mutation ($v: CreateTagTypeInput!) { createTagType(input: $v) { __typename } }","variables":{"v":{"name":${nested(depth)}}}}`,
};
/** Bodies that are valid except for their nesting. */
const HARMLESS: Record<string, (depth: number) => string> = {
  "a variable that is not declared": (depth) =>
    `{"query":"{ viewer { name } }","variables":{"v":${nested(depth)}}}`,
  extensions: (depth) => `{"query":"{ viewer { name } }","extensions":{"v":${nestedObject(depth)}}}`,
};

async function answerTo(body: string) {
  const response = await fetch(server.url, {
    method: "POST",
    headers: {
      authorization: `Bearer ${server.token}`,
      "content-type": "application/json",
      accept: "application/graphql-response+json",
    },
    body,
  });
  const { data, errors = [] } = (await response.json()) as {
    data?: unknown;
    errors?: { extensions: { code: string } }[];
  };
  return { status: response.status, data, codes: errors.map(({ extensions }) => extensions.code) };
}

/** Expects a result or a refusal with one of REFUSAL_CODES. */
async function expectResultOrRefusal(body: string, isTooDeep: boolean): Promise<void> {
  const { status, data, codes } = await answerTo(body);
  for (const code of codes) expect(REFUSAL_CODES).toContain(code);
  if (isTooDeep) expect([status, data]).toEqual([400, undefined]);
  else if (codes.length === 0) expect(status).toBe(200);
}

describe("requests of any depth", () => {
  test.each(Object.entries(DOCUMENTS))(
    "a deeply nested document causes no server error: %s",
    async (_what, document) => {
      for (const depth of DEPTHS) {
        const body = JSON.stringify({ query: document(depth) });
        if (body.length < BODY_LIMIT) await expectResultOrRefusal(body, depth > LIMITS.nesting);
      }
    },
  );

  test.each(Object.entries({ ...BODIES, ...HARMLESS }))(
    "deeply nested JSON in a request's body causes no server error: %s",
    async (_what, body) => {
      for (const depth of DEPTHS) {
        if (body(depth).length < BODY_LIMIT) await expectResultOrRefusal(body(depth), depth > LIMITS.nesting);
      }
    },
  );

  test("deep nesting in the address of a GET causes no server error", async () => {
    // The HTTP parser answers longer addresses with 431.
    for (const depth of [1, 60, 65, 400]) {
      for (const [name, value] of [
        ["variables", `{"v":${nested(depth)}}`],
        ["extensions", nestedObject(depth)],
        ["query", `{ ${wrapped("...{", viewer, "}", depth)} }`],
      ] as const) {
        const query = new URLSearchParams({ query: `{ ${viewer} }`, [name]: value });
        const response = await fetch(`${server.url}?${query}`, {
          headers: {
            authorization: `Bearer ${server.token}`,
            accept: "application/graphql-response+json",
          },
        });
        const { errors } = (await response.json()) as { errors?: { extensions: { code: string } }[] };
        for (const { extensions } of errors ?? []) expect(REFUSAL_CODES).toContain(extensions.code);
        expect([name, depth, response.status]).toEqual([name, depth, depth > LIMITS.nesting ? 400 : 200]);
      }
    }
  });
});

describe("the limit on nesting", () => {
  test("a document or variables beyond the limit on nesting are refused with the matching code", async () => {
    const code = async (query: string, variables = {}) =>
      (await server.ask(query, variables)).errors?.map(({ extensions }) => extensions.code);
    const over = LIMITS.nesting;
    expect(await code(`{ ${wrapped("... {", viewer, "}", over - 2)} }`)).toBeUndefined();
    expect(await code(`{ ${wrapped("... {", viewer, "}", over - 1)} }`)).toEqual(["QUERY_TOO_DEEP"]);
    expect(await code(chain(over - 3, (next) => next, viewer))).toBeUndefined();
    expect(await code(chain(over - 2, (next) => next, viewer))).toEqual(["QUERY_TOO_DEEP"]);
    expect(await code(`{ inviteLinks(channelId: ${"[".repeat(5_000)}`)).toEqual(["QUERY_TOO_DEEP"]);
    expect(await code(`{ ${viewer} }`, { v: JSON.parse(nested(over)) })).toBeUndefined();
    expect(await code(`{ ${viewer} }`, { v: JSON.parse(nested(over + 1)) })).toEqual(["BAD_USER_INPUT"]);
  });

  test("a fragment that spreads itself is reported as such for any length of the cycle", async () => {
    for (const length of [1, 5, 100, 200]) {
      const { errors } = await server.ask(chain(length, (next) => next, "...f0"));
      expect(errors?.[0]).toMatchObject({
        message: expect.stringContaining("within itself"),
        extensions: { code: "GRAPHQL_VALIDATION_FAILED" },
      });
    }
  });

  test("the limit on nesting allows the introspection query of clients", async () => {
    const { errors } = await server.ask(getIntrospectionQuery({ inputValueDeprecation: true }));
    expect(errors).toBeUndefined();
  });
});

describe("the limit on tokens", () => {
  const tokensOf = (query: string): number => {
    const lexer = new Lexer(new Source(query));
    let tokens = 0;
    while (lexer.advance().kind !== TokenKind.EOF) tokens += 1;
    return tokens;
  };

  test("the limit on tokens is exact and ignores comments", async () => {
    const document = (names: number) => `# A comment\n{ viewer { ${"name ".repeat(names)} } }`;
    const codesOf = async (query: string) =>
      (await server.ask(query)).errors?.map(({ extensions }) => extensions.code);
    const most = document(LIMITS.tokens - 5);
    expect(tokensOf(most)).toBe(LIMITS.tokens);
    // The document is within the limit on tokens but has too many fields of one name to compare with each other.
    expect(await codesOf(most)).toEqual(["GRAPHQL_VALIDATION_FAILED"]);
    expect(await codesOf(document(LIMITS.tokens - 4))).toEqual(["QUERY_TOO_LONG"]);
  });

  test("the limit on tokens is checked before errors further back in the document", async () => {
    const { errors } = await server.ask(`{ viewer { ${"name ".repeat(LIMITS.tokens)} ' } }`);
    expect(errors?.map(({ extensions }) => extensions.code)).toEqual(["QUERY_TOO_LONG"]);
  });
});

/**
 * Calls a function when at most the given share of the stack is left. The stack is exhausted first, and the function is
 * called on the way back: the compiler changes the size of frames, so a second descent could not count on the first.
 */
function withStackLeft<T>(share: number, call: () => T): T {
  let deepest = 0;
  let called = false;
  const descend = (frame: number): T => {
    try {
      return descend(frame + 1);
    } catch (error) {
      if (deepest === 0) deepest = frame;
      if (called || frame > deepest * (1 - share)) throw error;
    }
    called = true;
    return call();
  };
  return descend(1);
}

test("every accepted operation can be executed with a fifth of the stack", async () => {
  const caller: Caller = {
    key: "admin",
    name: "Test",
    role: "ADMIN",
    chatIds: null,
    telegramUserId: null,
  };
  const lines: string[] = [];
  const log = createLog({ level: "error", format: null, secrets: [], write: (line) => lines.push(line) });
  const operations = new Operations({
    domain: { database: {} } as Domain,
    schema,
    suggestions: true,
    persisted: new AutomaticDocuments(),
  });
  const run = (parameters: OperationParameters) =>
    operations.executeOperation(parameters, {
      caller,
      requestId: "r",
      log,
      readOnly: false,
      acceptsStream: false,
      client: null,
      onEnd: () => {},
    }) as Promise<OperationResult>;
  for (const depth of [1, 12, 30, 60, 62, 63, 64, 65, 400, 30_000]) {
    for (const document of Object.values(DOCUMENTS)) {
      const { errors = [] } = await withStackLeft(0.2, () => run({ query: document(depth) }));
      // Fields that read the database fail here because there is no database, and not because the stack is exhausted.
      for (const { message } of errors) expect(message).not.toMatch(/call stack/);
    }
    for (const body of Object.values(BODIES)) {
      const parameters = JSON.parse(body(depth)) as OperationParameters;
      const { errors = [] } = await withStackLeft(0.2, () => run(parameters));
      for (const { message } of errors) expect(message).not.toMatch(/call stack/);
    }
  }
  expect(lines.filter((line) => /call stack/.test(line))).toEqual([]);
});

test("fragments that spread each other in every way are validated with a bounded amount of work", async () => {
  const rounds = (layers: number, width: number) => {
    const names = (layer: number) => Array.from({ length: width }, (_, index) => `f${layer}_${index}`);
    const spreads = (layer: number) =>
      names(layer)
        .map((name) => `...${name}`)
        .join(" ");
    const fragments = Array.from({ length: layers }, (_, layer) =>
      names(layer).map(
        (name) => `fragment ${name} on Query { ${layer + 1 < layers ? spreads(layer + 1) : viewer} }`,
      ),
    );
    return `{ ${spreads(0)} } ${fragments.flat().join(" ")}`;
  };
  // Work that doubled with each fragment would exceed the time limit of the test.
  for (const document of [
    rounds(30, 4),
    rounds(15, 7),
    rounds(60, 2),
    chain(12, (next) => `${next} ${next}`, viewer),
    // Each fragment selects the same field twice, and the next fragment in both.
    `{ tag(id: "x") { ...f0 } } ${Array.from({ length: 40 }, (_, index) => `fragment f${index} on Tag { inviteLinks { nodes { tags { ...f${index + 1} } } } inviteLinks { nodes { tags { ...f${index + 1} } } } }`).join(" ")} fragment f40 on Tag { name }`,
    chain(20, (next) => `a: node(id: 1) { ... on Tag { id } } ${next} b: node(id: 1) { id } ${next}`, viewer),
  ]) {
    const { errors = [] } = await server.ask(document);
    for (const { extensions } of errors)
      expect([
        "QUERY_TOO_LONG",
        "BAD_USER_INPUT",
        ...REFUSAL_CODES,
        "QUERY_TOO_COSTLY",
        "QUERY_TOO_MANY_ALIASES",
      ]).toContain(extensions.code);
  }
  expect((await server.ask(`{ channel(telegramId: ${CHANNEL}) { title } }`)).errors).toBeUndefined();
});

describe("the limits on sizes", () => {
  const codesOf = async (query: string, variables: Record<string, unknown> = {}) =>
    (await server.ask(query, variables)).errors?.map(({ extensions }) => extensions.code);

  test("a document with too many characters, including comments and texts, is refused before it is parsed", async () => {
    const document = (characters: number) => `{ ${viewer} } #`.padEnd(characters, "x");
    expect(await codesOf(document(LIMITS.characters))).toBeUndefined();
    expect(await codesOf(document(LIMITS.characters + 1))).toEqual(["QUERY_TOO_LONG"]);
    const text = `"""${"\n 1".repeat(LIMITS.characters / 3)}"""`;
    expect(await codesOf(`{ inviteLinks(channelId: ${text}) { totalCount } }`)).toEqual(["QUERY_TOO_LONG"]);
  });

  test("the limit on characters allows as many ids as the limit on tokens", () => {
    const id = globalId("InviteLink", newId());
    expect(LIMITS.tokens * `"${id}" `.length).toBeLessThan(LIMITS.characters);
  });

  test.each([
    ["lists", []],
    ["objects", {}],
    ["numbers", 1],
  ])(
    "too many values in the variables are refused even if the variable is not declared: %s",
    async (_what, value) => {
      // The list itself counts as one value.
      const most = Array.from({ length: LIMITS.values - 1 }, () => value);
      expect(await codesOf(`{ ${viewer} }`, { v: most })).toBeUndefined();
      expect(await codesOf(`{ ${viewer} }`, { v: [...most, value] })).toEqual(["BAD_USER_INPUT"]);
    },
  );

  test("the limit on values allows as many ids as a filter accepts", async () => {
    const query = `query ($filter: InviteLinkFilter) {
      inviteLinks(channelId: -1001, first: 1, filter: $filter) { totalCount } }`;
    const ids = Array.from({ length: 10_000 }, () => globalId("InviteLink", newId()));
    const { errors } = await server.ask(query, { filter: { ids } });
    expect(errors?.map(({ extensions }) => extensions.code) ?? []).not.toContain("BAD_USER_INPUT");
  });

  test("the whole schema cannot be requested many times in one operation", async () => {
    const schemas = (count: number) =>
      Array.from({ length: count }, (_, index) => `a${index}: __schema { types { name } }`).join(" ");
    const fields = (count: number) =>
      Array.from({ length: count }, (_, index) => `a${index}: fields { name }`).join(" ");
    const names = Array.from({ length: 20 }, (_, index) => `a${index}: __typename`).join(" ");
    expect(await codesOf(`{ ${schemas(3)} }`)).toBeUndefined();
    expect(await codesOf(`{ ${schemas(4)} }`)).toEqual(["QUERY_TOO_MANY_ALIASES"]);
    expect(await codesOf(`{ __schema { types { ${fields(4)} } } }`)).toEqual(["QUERY_TOO_MANY_ALIASES"]);
    expect(await codesOf(`{ ${names} }`)).toBeUndefined();
  });

  test("an error repeats only a short part of the request", async () => {
    const { errors: ofName } = await server.ask(`{ ${"x".repeat(10_000)} }`);
    const { errors: ofValue } = await server.ask(
      "query ($channelId: TelegramID!) { inviteLinks(channelId: $channelId) { totalCount } }",
      { channelId: "x".repeat(100_000) },
    );
    for (const errors of [ofName, ofValue]) {
      expect(errors).toHaveLength(1);
      expect(errors?.[0]?.message.length).toBeLessThan(1_100);
    }
  });
});

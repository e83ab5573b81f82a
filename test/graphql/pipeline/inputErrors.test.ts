import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CHANNEL, startTestServer, type TestServer, YOUTUBE } from "../../support/server.js";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

interface Shown {
  readonly message: string;
  readonly path?: readonly (string | number)[];
  readonly locations?: readonly { readonly line: number; readonly column: number }[];
  readonly extensions: { readonly code: string; readonly fieldErrors?: readonly object[] };
}

async function send(query: string, variables: object = {}) {
  const response = await fetch(server.url, {
    method: "POST",
    headers: {
      authorization: `Bearer ${server.token}`,
      "content-type": "application/json",
      accept: "application/graphql-response+json",
    },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors = [] } = (await response.json()) as { data?: unknown; errors?: Shown[] };
  return { status: response.status, data, errors };
}

describe("errors of literals and variables", () => {
  const inviteLinks = (filter: string) =>
    `{ inviteLinks(channelId: 5, filter: { ${filter} }) { totalCount } }`;
  const create = (input: string) => `mutation { createInviteLink(input: { ${input} }) { __typename } }`;
  // The mark ^ stands before the invalid literal.
  test.each([
    ["TelegramID, of another kind", "{ channel(telegramId: ^true) { id } }"],
    ["TelegramID, a text that is not an integer", '{ channel(telegramId: ^"five") { id } }'],
    ["TelegramID, too large", "{ channel(telegramId: ^99999999999999999999) { id } }"],
    ["TelegramID, a list", "{ channel(telegramId: ^[5]) { id } }"],
    ["TelegramID, an object", "{ channel(telegramId: ^{ a: 5 }) { id } }"],
    ["TelegramID, beneath an input", inviteLinks("creatorId: ^1.5")],
    ["DateTime, a text that is not a time", inviteLinks('createdFrom: ^"tomorrow"')],
    ["DateTime, a number", inviteLinks("createdFrom: ^5")],
    ["DateTime, a day that does not exist", inviteLinks('createdFrom: ^"2026-02-30T00:00:00Z"')],
    ["Decimal, too many decimals", create('channelId: 5, name: "a", budget: ^1.234')],
    ["Decimal, an enum", create('channelId: 5, name: "a", budget: ^FREE')],
    ["Decimal, a text", create('channelId: 5, name: "a", budget: ^"free"')],
    [
      "URL, a text that is not an address",
      'mutation { resolveCreation(input: { id: "x", url: ^"no address" }) { __typename } }',
    ],
    ["URL, a number", 'mutation { resolveCreation(input: { id: "x", url: ^5 }) { __typename } }'],
    [
      "an unknown value of an enum",
      "{ inviteLinks(channelId: 5, orderBy: { field: ^SIZE }) { totalCount } }",
    ],
    ["a text for an enum", '{ inviteLinks(channelId: 5, orderBy: { field: ^"NAME" }) { totalCount } }'],
    ["Int, a text", '{ inviteLinks(channelId: 5, first: ^"ten") { totalCount } }'],
    ["Int, too large", "{ inviteLinks(channelId: 5, first: ^99999999999) { totalCount } }"],
    ["Boolean, a number", inviteLinks("isRevoked: ^1")],
    ["String, a number", inviteLinks("name: ^5")],
    ["ID, a decimal", "{ tag(id: ^1.5) { id } }"],
    ["ID, in a list", '{ nodes(ids: ["a", ^true]) { id } }'],
    ["null for a non-null argument", "{ channel(telegramId: ^null) { id } }"],
    ["a number for an input object", "{ inviteLinks(channelId: 5, filter: ^5) { totalCount } }"],
    ["an ID deep in an input object", inviteLinks("tagGroups: [{ tagTypeId: ^true }]")],
    [
      "a variable's default",
      'query ($id: TelegramID = ^"five") { inviteLinks(channelId: 5, filter: { creatorId: $id }) { totalCount } }',
    ],
  ])("an invalid literal is reported with its place in the document: %s", async (_what, marked) => {
    const query = marked.replace("^", "\n  ");
    const column = 3;
    const { status, data, errors } = await send(query);
    expect([status, data, errors.length]).toEqual([400, undefined, 1]);
    expect(errors[0]).toMatchObject({
      locations: [{ line: 2, column }],
      extensions: { code: "BAD_USER_INPUT" },
    });
  });

  test.each([
    ["TelegramID!", "five", "{ channel(telegramId: $v) { id } }"],
    ["[ID!]!", ["a", { b: 1 }], "{ nodes(ids: $v) { id } }"],
    [
      "InviteLinkFilter",
      { createdFrom: "never" },
      "{ inviteLinks(channelId: 5, filter: $v) { totalCount } }",
    ],
    ["[InviteLinkOrder!]", [{ field: "SIZE" }], "{ inviteLinks(channelId: 5, orderBy: $v) { totalCount } }"],
  ])(
    "an invalid value of a variable of the type %s is reported with the variable's name",
    async (type, v, selection) => {
      const { status, errors } = await send(`query ($v: ${type}) ${selection}`, { v });
      expect(status).toBe(400);
      expect(errors).toEqual([
        expect.objectContaining({
          message: expect.stringContaining('"$v"'),
          locations: [{ line: 1, column: 8 }],
          extensions: expect.objectContaining({ code: "BAD_USER_INPUT" }),
        }),
      ]);
    },
  );
});

describe("a null variable at @include or @skip", () => {
  const reading = (selection: string, fragments = "") =>
    `query ($x: Boolean = true) { ${selection} } ${fragments}`;
  const changing = (selection: string, fragments = "") =>
    `mutation ($x: Boolean = true) { ${selection} } ${fragments}`;
  const rename = `updateTag(input: { id: "${YOUTUBE}", color: "#000000" })`;
  test.each([
    ["at the root", reading("viewer { name } tagTypes @include(if: $x) { name }")],
    ["below the root", reading("viewer { name @skip(if: $x) }")],
    ["below a list", reading("tagTypes { id name @include(if: $x) }")],
    ["at an inline fragment", reading("... @include(if: $x) { viewer { name } }")],
    ["at a fragment's spread", reading("...f @skip(if: $x)", "fragment f on Query { viewer { name } }")],
    ["in a fragment", reading("...f", "fragment f on Query { viewer { name @include(if: $x) } }")],
    [
      "in a fragment's fragment",
      reading(
        "...f",
        "fragment f on Query { ...g } fragment g on Query { viewer { name @include(if: $x) } }",
      ),
    ],
    ["beneath a skipped field", reading("tagTypes { id } viewer @skip(if: true) { name @include(if: $x) }")],
    ["beneath a field that is null", reading('tag(id: "x") { name @include(if: $x) } viewer { name }')],
    ["at the root of a mutation", changing(`${rename} @include(if: $x) { __typename }`)],
    ["below a mutation", changing(`${rename} { __typename @skip(if: $x) }`)],
    [
      "in a mutation's fragment",
      changing(`${rename} { ...f }`, "fragment f on UserError { message @include(if: $x) }"),
    ],
  ])("a null variable at @include or @skip is refused with its place %s", async (_what, query) => {
    const { status, data, errors } = await send(query, { x: null });
    expect([status, data]).toEqual([400, undefined]);
    expect(errors).toEqual([
      {
        message: expect.stringContaining('"$x"'),
        locations: [{ line: 1, column: query.indexOf("if: $x") + 5 }],
        extensions: { code: "BAD_USER_INPUT", requestId: expect.any(String) },
      },
    ]);
    // The operation is accepted with the variable's default and with a value that is not null.
    for (const variables of [{}, { x: true }, { x: false }]) {
      const { errors } = await send(query, variables);
      expect(errors.filter(({ message }) => message.includes("$x"))).toEqual([]);
    }
    const { data: tag } = await server.ask(`{ tag(id: "${YOUTUBE}") { name } }`);
    expect(tag).toEqual({ tag: { name: "YouTube" } });
  });

  test("a null variable at @skip in another operation of the document is ignored", async () => {
    const query = "query A { viewer { name } } query B($x: Boolean = true) { viewer { name @skip(if: $x) } }";
    const response = await fetch(server.url, {
      method: "POST",
      headers: { authorization: `Bearer ${server.token}`, "content-type": "application/json" },
      body: JSON.stringify({ query, operationName: "A", variables: { x: null } }),
    });
    expect(await response.json()).toEqual({ data: { viewer: { name: "Sandbox" } } });
  });
});

describe("lists with ids that cannot be read", () => {
  const good = Buffer.from(`Tag:${YOUTUBE}`).toString("base64");

  test("node and nodes report each id that cannot be read with its place in the list", async () => {
    const list = await send("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {
      ids: [good, YOUTUBE, good, "", "x".repeat(5_000)],
    });
    expect(list.errors).toHaveLength(1);
    expect(list.errors[0]).toMatchObject({
      path: ["nodes"],
      locations: [{ line: 1, column: 24 }],
      extensions: {
        code: "BAD_USER_INPUT",
        fieldErrors: [
          { field: "ids.1", message: expect.stringContaining(YOUTUBE) },
          { field: "ids.3", message: expect.stringContaining('""') },
          { field: "ids.4", message: expect.stringContaining("xxx…") },
        ],
      },
    });
    expect(JSON.stringify(list.errors).length).toBeLessThan(2_000);
    const literal = await send(`{ nodes(ids: ["${good}", "bad"]) { id } }`);
    expect(literal.errors[0]?.extensions.fieldErrors).toEqual([
      expect.objectContaining({ field: "ids.1", message: expect.stringContaining('"bad"') }),
    ]);
    const single = await send('{ node(id: "bad") { id } }');
    expect(single.data).toEqual({ node: null });
    expect(single.errors[0]).toMatchObject({
      path: ["node"],
      extensions: { code: "BAD_USER_INPUT", fieldErrors: [{ field: "id" }] },
    });
  });

  test("nodes refuses too many ids without checking each of them", async () => {
    const { errors } = await send("query ($ids: [ID!]!) { nodes(ids: $ids) { __typename } }", {
      ids: Array.from({ length: 1_001 }, () => "bad"),
    });
    expect(errors[0]?.extensions.fieldErrors).toEqual([expect.objectContaining({ field: "ids" })]);
  });

  test.each([
    [
      "the link ids of a filter",
      `{ inviteLinks(channelId: ${CHANNEL}, filter: { ids: ["${YOUTUBE}", "bad"] }) { totalCount } }`,
      "ids.1",
    ],
    [
      "the tag ids of a filter",
      `{ inviteLinks(channelId: ${CHANNEL}, filter: { tagGroups: [{ tagTypeId: "${YOUTUBE}", tagIds: ["${good}", "bad"] }] }) { totalCount } }`,
      "tagGroups.0.tagIds.1",
    ],
    [
      "the tags of a new link",
      `mutation { r: createInviteLink(input: { channelId: ${CHANNEL}, name: "a", tagIds: ["${good}", "bad"] }) { ... on ValidationError { fieldErrors { field message } } } }`,
      "tagIds.1",
    ],
    [
      "the links of bulk tagging",
      `mutation { r: setInviteLinkTags(input: { ids: ["${YOUTUBE}", "bad"] }) { ... on ValidationError { fieldErrors { field message } } } }`,
      "ids.1",
    ],
    [
      "the added tags of bulk tagging",
      `mutation { r: setInviteLinkTags(input: { ids: ["${YOUTUBE}"], addTagIds: ["${good}", "bad"] }) { ... on ValidationError { fieldErrors { field message } } } }`,
      "addTagIds.1",
    ],
  ])("an id that cannot be read is reported with its place among %s", async (_what, query, field) => {
    const { data, errors } = await send(query);
    const { fieldErrors } =
      errors[0]?.extensions ?? (data as { r: { fieldErrors: { field: string; message: string }[] } }).r;
    expect(fieldErrors).toEqual([
      {
        field: expect.stringMatching(new RegExp(`${field.replaceAll(".", "\\.")}$`)),
        message: expect.any(String),
      },
    ]);
  });
});

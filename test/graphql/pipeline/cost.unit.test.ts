import { readdirSync, readFileSync } from "node:fs";
import { type DocumentNode, Kind, OperationTypeNode, parse } from "graphql";
import { describe, expect, test } from "vitest";
import { newId } from "../../../src/domain/shared/ids.js";
import { costOf, LIMITS } from "../../../src/graphql/pipeline/limits.js";
import { PreparedOperation } from "../../../src/graphql/pipeline/preparedOperation.js";
import { schema } from "../../../src/graphql/schema.js";

function operationOf(document: DocumentNode) {
  const operation = document.definitions.find(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  if (operation?.kind !== Kind.OPERATION_DEFINITION) throw new TypeError("There is no operation.");
  return operation;
}

function complexityOf(query: string, variables: Record<string, unknown> = {}): number {
  const document = parse(query);
  return costOf(schema, document, operationOf(document), variables).complexity;
}

const groups = (count: number, tags: number) =>
  Array.from({ length: count }, () => ({ tagTypeId: newId(), tagIds: Array.from({ length: tags }, newId) }));

/** What a filter adds to the cost of a list of which `asked` is asked. */
function added(filter: object, asked: string): number {
  const query = `query ($filter: InviteLinkFilter) {
    inviteLinks(channelId: -1, first: 1, filter: $filter) { ${asked} } }`;
  return complexityOf(query, { filter }) - complexityOf(query, { filter: {} });
}

describe("what a filter costs", () => {
  test.each([
    ["a part of the name", { name: "x" }],
    ["the creator", { creatorId: 5 }],
    ["whether links were made by the bot", { isBotCreated: true }],
    ["whether they are revoked", { isRevoked: false }],
    ["whether they have expired", { isExpired: false }],
    ["a group without tags", { tagGroups: groups(1, 0) }],
  ])("is a hundred for %s", (_what, filter) => {
    expect(added(filter, "nodes { id }")).toBe(100);
  });

  test("is nothing for what constrains nothing", () => {
    expect(added({ name: "", isRevoked: null, creatorId: null, tagGroups: [] }, "totalCount")).toBe(0);
  });

  test("grows with the groups, the tags in them, and the links that are named by their ids", () => {
    expect(added({ tagGroups: groups(5, 0) }, "nodes { id }")).toBe(500);
    expect(added({ tagGroups: groups(2, 20) }, "nodes { id }")).toBe(280);
    expect(added({ ids: Array.from({ length: 1000 }, newId) }, "nodes { id }")).toBe(10);
  });

  test("is paid again for each thing that is computed over all links that match, however it is written", () => {
    const filter = { name: "x", isBotCreated: true };
    const sums = "totals { budget } facets { withoutTypeCount }";
    expect(added(filter, "totalCount")).toBe(400);
    expect(added(filter, `totalCount ${sums}`)).toBe(800);
    expect(added(filter, `... on InviteLinkConnection { totalCount ... { ${sums} } }`)).toBe(800);
    const query = (name: string) => `query ($filter: InviteLinkFilter) { ...root }
      fragment root on Query { a: inviteLinks(channelId: -1, first: 1, filter: $filter) { ...sums }
        b: inviteLinks(channelId: -1, first: 1, filter: { name: "${name}" }) { ...sums } }
      fragment sums on InviteLinkConnection { totalCount ${sums} }`;
    const without = complexityOf(query(""), { filter: {} });
    expect(complexityOf(query(""), { filter }) - without).toBe(800);
    expect(complexityOf(query("x"), { filter: {} }) - without).toBe(400);
    expect(complexityOf(query("x"), { filter }) - without).toBe(1200);
  });

  test("is not paid again where tag groups alone are counted, which bitmaps tell", () => {
    expect(added({ tagGroups: groups(2, 20) }, "totalCount totals { budget }")).toBe(280);
  });

  test("is a hundred for a part of a tag's name, and as much for counting", () => {
    const cost = (name: string, asked: string) =>
      complexityOf(`{ tags(channelId: -1, first: 1, name: "${name}") { ${asked} } }`);
    expect(cost("x", "nodes { id }") - cost("", "nodes { id }")).toBe(100);
    expect(cost("x", "totalCount") - cost("", "totalCount")).toBe(200);
  });

  test("counts the rows that a page by number passes by, up to what reading all of them costs", () => {
    const cost = (page: number) =>
      complexityOf(`{ inviteLinks(channelId: -1, first: 100, page: ${page}) { nodes { id } } }`);
    expect(cost(2) - cost(1)).toBe(1);
    expect(cost(401) - cost(1)).toBe(20);
    expect(cost(2_000_000_000) - cost(1)).toBe(100);
  });

  test("is a hundred for an order by several things, which no index has", () => {
    const cost = (orderBy: string) =>
      complexityOf(`{ inviteLinks(channelId: -1, first: 1, orderBy: ${orderBy}) { nodes { id } } }`);
    const name = "{ field: NAME, direction: ASC }";
    const budget = "{ field: BUDGET, direction: DESC }";
    for (const orderBy of ["[]", `[${name}]`, `[${budget}]`]) expect(cost(orderBy)).toBe(cost("null"));
    expect(cost(`[${budget}, ${name}]`) - cost("null")).toBe(100);
  });

  test("refuses many lists under a filter that no index serves, with all that can be computed", () => {
    const filter = { name: "x", isBotCreated: true, tagGroups: groups(5, 20) };
    const lists = Array.from(
      { length: 29 },
      (_, index) => `a${index}: inviteLinks(channelId: -1, first: 1, filter: $filter) {
        totalCount totals { budget } facets { withoutTypeCount } }`,
    );
    expect(
      complexityOf(`query ($filter: InviteLinkFilter) { ${lists.join(" ")} }`, { filter }),
    ).toBeGreaterThan(LIMITS.cost);
  });

  test.each([
    ["a text", "$name: String", "name: $name", { name: "" }, { name: "x" }],
    ["a text that is null at first", "$name: String", "name: $name", { name: null }, { name: "x" }],
    ["a text with a default", '$name: String = "x"', "name: $name", { name: null }, {}],
    ["a Boolean", "$is: Boolean", "isRevoked: $is", { is: null }, { is: false }],
  ])("is not taken for what it was with another value of %s", (_what, declared, given, cheap, costly) => {
    const lists = Array.from(
      { length: 30 },
      (_, index) => `a${index}: inviteLinks(channelId: -1, first: 8, filter: { ${given} }) {
        nodes { id } totalCount facets { withoutTypeCount } totals { budget } }`,
    );
    // Below the limit without the condition, above it with.
    const document = parse(`query (${declared}) { ${lists.join(" ")} }`);
    const operation = new PreparedOperation(schema, document, operationOf(document));
    for (let time = 0; time < 2; time += 1) {
      expect(() => operation.checkCost(cheap)).not.toThrow();
      expect(() => operation.checkCost(costly)).toThrow("costs");
    }
  });
});

/** The documents that stand in `graphql(…)` beside what shows them, with the fragments of all of them. */
function dashboardDocuments(): DocumentNode[] {
  const folder = new URL("../../../dashboard/src/", import.meta.url);
  const texts = readdirSync(folder)
    .filter((name) => /\.tsx?$/.test(name))
    .flatMap((name) => [...readFileSync(new URL(name, folder), "utf8").matchAll(/graphql\(`([^`]*)`\)/g)])
    .map(([, text = ""]) => text);
  const { definitions } = parse(texts.join("\n"));
  const fragments = definitions.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION);
  return definitions
    .filter((one) => one.kind === Kind.OPERATION_DEFINITION && one.operation === OperationTypeNode.QUERY)
    .map((operation) => ({ kind: Kind.DOCUMENT, definitions: [operation, ...fragments] }));
}

describe("the queries of the dashboard", () => {
  const documents = dashboardDocuments();

  test("are found", () => {
    expect(documents.length).toBeGreaterThan(3);
  });

  test.each(documents.map((document) => [operationOf(document).name?.value ?? "", document] as const))(
    "cost less than a tenth of the limit: %s",
    (_name, document) => {
      const operation = operationOf(document);
      // As much as its filter can say in any of the states, and the longest page that its table asks for.
      const filter = {
        name: "x",
        isRevoked: false,
        isExpired: false,
        tagGroups: groups(3, 5).map((group) => ({ ...group, withoutType: true })),
      };
      const values: Record<string, unknown> = {
        filter,
        without: { tagGroups: [{ tagTypeId: newId(), withoutType: true }] },
        first: 30,
        channelId: -1,
        typeId: newId(),
      };
      const variables = Object.fromEntries(
        (operation.variableDefinitions ?? []).map(({ variable }) => [
          variable.name.value,
          values[variable.name.value],
        ]),
      );
      expect(costOf(schema, document, operation, variables).complexity).toBeLessThan(LIMITS.cost / 10);
    },
  );
});

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

/** The cost that a filter adds to a list of links with this selection. */
function filterCost(filter: object, selection: string): number {
  const query = `query ($filter: InviteLinkFilter) {
    inviteLinks(channelId: -1, first: 1, filter: $filter) { ${selection} } }`;
  return complexityOf(query, { filter }) - complexityOf(query, { filter: {} });
}

describe("the cost of audit entries", () => {
  const costUnder = (filter: object, selection = "nodes { id }") =>
    complexityOf(
      `query ($filter: AuditFilter) { auditEntries(first: 10, filter: $filter) { ${selection} } }`,
      { filter },
    );

  test("a subject, a channel and a period add no cost, a caller and actions add 100 each", () => {
    const plain = costUnder({});
    expect(costUnder({ channelId: -1, from: "2026-01-01T00:00:00Z" })).toBe(plain);
    expect(costUnder({ caller: "admin" })).toBe(plain + 100);
    expect(costUnder({ caller: "admin", actions: ["tag.update"] })).toBe(plain + 200);
    expect(costUnder({ subjectId: newId(), caller: "admin", actions: [] })).toBe(plain);
    expect(costUnder({ caller: "admin" }, "totalCount nodes { id }")).toBe(
      costUnder({}, "totalCount nodes { id }") + 200,
    );
  });
});

describe("the cost of filters and orderings", () => {
  test.each([
    ["a part of the name", { name: "x" }],
    ["the creator", { creatorId: 5 }],
    ["creation by the bot", { isBotCreated: true }],
    ["revocation", { isRevoked: false }],
    ["expiry", { isExpired: false }],
    ["a group without tags", { tagGroups: groups(1, 0) }],
    ["a search", { search: "x" }],
    ["a number of joins", { minJoinCount: 1 }],
    ["pending requests", { hasPendingJoinRequests: false }],
  ])("a filter by %s adds a cost of 100", (_what, filter) => {
    expect(filterCost(filter, "nodes { id }")).toBe(100);
  });

  test("a filter that constrains nothing adds no cost", () => {
    expect(filterCost({ name: "", isRevoked: null, creatorId: null, tagGroups: [] }, "totalCount")).toBe(0);
  });

  test("a filter's cost grows with its tag groups, their tags and its link ids", () => {
    expect(filterCost({ tagGroups: groups(5, 0) }, "nodes { id }")).toBe(500);
    expect(filterCost({ tagGroups: groups(2, 20) }, "nodes { id }")).toBe(280);
    expect(filterCost({ ids: Array.from({ length: 1000 }, newId) }, "nodes { id }")).toBe(10);
  });

  test("a filter's cost is added once more for each value that is computed over all matching links", () => {
    const filter = { name: "x", isBotCreated: true };
    const sums = "totals { budget } facets { withoutTypeCount }";
    expect(filterCost(filter, "totalCount")).toBe(400);
    expect(filterCost(filter, `totalCount ${sums}`)).toBe(800);
    expect(filterCost(filter, `... on InviteLinkConnection { totalCount ... { ${sums} } }`)).toBe(800);
    const query = (name: string) => `query ($filter: InviteLinkFilter) { ...root }
      fragment root on Query { a: inviteLinks(channelId: -1, first: 1, filter: $filter) { ...sums }
        b: inviteLinks(channelId: -1, first: 1, filter: { name: "${name}" }) { ...sums } }
      fragment sums on InviteLinkConnection { totalCount ${sums} }`;
    const without = complexityOf(query(""), { filter: {} });
    expect(complexityOf(query(""), { filter }) - without).toBe(800);
    expect(complexityOf(query("x"), { filter: {} }) - without).toBe(400);
    expect(complexityOf(query("x"), { filter }) - without).toBe(1200);
  });

  test("a filter's cost is added for each statement that sums, groups and series need, and not for each of their fields", () => {
    const series = 'series(from: "2026-01-01T00:00:00Z", to: "2026-01-10T00:00:00Z") { joinCount }';
    const statements = (selection: string) => filterCost({ name: "x" }, selection) / 100 - 1;
    expect(statements("a: totalCount b: totalCount")).toBe(1);
    expect(statements("totals { __typename }")).toBe(0);
    expect(statements("totals { joinCount leaveCount removedCount activeCount joinRequestCount }")).toBe(1);
    expect(statements("totals { costPerJoin }")).toBe(2);
    expect(statements("totals { costPerActiveMember budget joinCount retention { days } }")).toBe(3);
    expect(statements("a: totals { budget } b: totals { budget joinCount } totals { budget }")).toBe(2);
    expect(statements(`a: ${series} b: ${series} ... { totalCount: ${series} }`)).toBe(3);
    expect(statements("a: groups(by: CREATOR) { linkCount } b: groups(by: CREATOR) { linkCount }")).toBe(2);
    expect(statements("groups(by: CREATOR) { a: totals { budget } b: totals { joinCount } }")).toBe(1);
    expect(statements("groups(by: CREATOR) { totals { budget } totals { retention { days } } }")).toBe(2);
  });

  test("a filter of member events that no index serves adds a cost of 100, and of 100 more for the count", () => {
    const added = (filter: string, selection: string) =>
      complexityOf(`{ memberEvents(channelId: -1, first: 1, filter: { ${filter} }) { ${selection} } }`) -
      complexityOf(`{ memberEvents(channelId: -1, first: 1) { ${selection} } }`);
    const period = 'occurredFrom: "2026-01-01T00:00:00Z", occurredTo: "2026-01-10T00:00:00Z"';
    for (const filter of ["kinds: [LEFT]", period]) {
      expect(added(filter, "nodes { id }")).toBe(100);
      expect(added(filter, "totalCount")).toBe(200);
    }
    expect(added(`kinds: [LEFT], ${period}`, "totalCount")).toBe(400);
    expect(added("userId: 5, inviteLinkIds: []", "totalCount")).toBe(0);
  });

  test("the cost of a filter by tag groups alone is not added again for counts, which bitmaps provide", () => {
    expect(filterCost({ tagGroups: groups(2, 20) }, "totalCount totals { budget }")).toBe(280);
  });

  test("a series costs 5 and a tenth of its buckets, and groups cost 100, whatever the size of the page", () => {
    const cost = (first: number, selection: string) =>
      complexityOf(
        `{ inviteLinks(channelId: -1, first: ${first}) { pageInfo { hasNextPage } ${selection} } }`,
      );
    const added = (selection: string, first = 1) => cost(first, selection) - cost(first, "");
    const series = (unit: string) =>
      `series(from: "2026-01-01T00:00:00Z", to: "2026-01-10T00:00:00Z", unit: ${unit}) { from to joinCount }`;
    expect(added(series("DAY"))).toBe(6);
    expect(added(series("HOUR"))).toBe(27);
    expect(added(series("HOUR"), 100)).toBe(27);
    expect(added("groups(by: CREATOR) { linkCount totals { joinCount } }")).toBe(100);
    expect(added("groups(by: CREATOR) { linkCount totals { joinCount } }", 100)).toBe(100);
    expect(added("... on InviteLinkConnection { a: groups(by: CREATOR) { linkCount } }", 100)).toBe(100);
  });

  test("the retention of totals costs 5 for each list, and that of groups 5 for each time that they are grouped", () => {
    const cost = (first: number, selection: string) =>
      complexityOf(`{ inviteLinks(channelId: -1, first: ${first}) { ${selection} } }`);
    const retention = "retention { days rate }";
    const groups = (fields: string) => `groups(by: CREATOR) { linkCount totals { joinCount ${fields} } }`;
    for (const first of [1, 100]) {
      const totals = (fields: string) => cost(first, `totals { joinCount ${fields} }`);
      expect(totals(retention) - totals("")).toBe(5);
      expect(cost(first, groups(retention)) - cost(first, groups(""))).toBe(5);
      const twice = (fields: string) => cost(first, `a: ${groups(fields)} b: ${groups(fields)}`);
      expect(twice(retention) - twice("")).toBe(10);
    }
    const ofTags = (fields: string) =>
      complexityOf(`{ tags(channelId: -1, first: 20) { nodes {
        inviteLinks(first: 50) { totals { budget ${fields} } ${groups(fields)} } } } }`);
    expect(ofTags(retention) - ofTags("")).toBe(200);
  });

  test("the members of a link cost 100 more under a condition on their presence, which no index serves", () => {
    const cost = (isActive: string) =>
      complexityOf(`{ inviteLinks(channelId: -1, first: 10) { nodes {
        members(first: 1, isActive: ${isActive}) { nodes { id } } } } }`);
    expect(cost("true") - cost("null")).toBe(1000);
    expect(cost("false") - cost("null")).toBe(1000);
  });

  test("the series and the retention of single links cost as often as there are links", () => {
    const stats = (first: number, selection: string) =>
      complexityOf(
        `{ inviteLinks(channelId: -1, first: ${first}) { nodes { stats { joinCount ${selection} } } } }`,
      );
    const series = 'series(from: "2026-01-01T00:00:00Z", to: "2026-01-10T00:00:00Z") { joinCount }';
    for (const first of [1, 10, 100]) {
      expect(stats(first, series) - stats(first, "")).toBe(6 * first);
      expect(stats(first, "retention { days rate }") - stats(first, "")).toBe(5 * first);
    }
    const ofTags = (first: number) =>
      complexityOf(
        `{ tags(channelId: -1, first: ${first}) { nodes { inviteLinks { groups(by: CREATOR) { linkCount } } } } }`,
      );
    expect(ofTags(11) - ofTags(10)).toBe(ofTags(12) - ofTags(11));
    expect(ofTags(10)).toBeGreaterThanOrEqual(1000);
    expect(ofTags(10)).toBeLessThan(1100);
  });

  test("a filter by a part of a tag's name adds a cost of 100, and of 100 more for the count", () => {
    const cost = (name: string, selection: string) =>
      complexityOf(`{ tags(channelId: -1, first: 1, name: "${name}") { ${selection} } }`);
    expect(cost("x", "nodes { id }") - cost("", "nodes { id }")).toBe(100);
    expect(cost("x", "totalCount") - cost("", "totalCount")).toBe(200);
  });

  test("a numbered page costs more the more rows it skips, up to the cost of reading all rows", () => {
    const cost = (page: number) =>
      complexityOf(`{ inviteLinks(channelId: -1, first: 100, page: ${page}) { nodes { id } } }`);
    expect(cost(2) - cost(1)).toBe(1);
    expect(cost(401) - cost(1)).toBe(20);
    expect(cost(2_000_000_000) - cost(1)).toBe(100);
  });

  test("an ordering that no index serves, by several fields or by another counter than joins, adds a cost of 100", () => {
    const cost = (orderBy: string) =>
      complexityOf(`{ inviteLinks(channelId: -1, first: 1, orderBy: ${orderBy}) { nodes { id } } }`);
    const name = "{ field: NAME, direction: ASC }";
    const budget = "{ field: BUDGET, direction: DESC }";
    const joins = "{ field: JOIN_COUNT, direction: DESC }";
    for (const orderBy of ["[]", `[${name}]`, `[${budget}]`, `[${joins}]`])
      expect(cost(orderBy)).toBe(cost("null"));
    for (const field of ["ACTIVE_COUNT", "LAST_JOIN_AT"])
      expect(cost(`{ field: ${field}, direction: ASC }`) - cost("null")).toBe(100);
    expect(cost(`[${budget}, ${name}]`) - cost("null")).toBe(100);
  });

  test("many lists with all totals and facets under a filter without an index exceed the limit on cost", () => {
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
  ])(
    "the cost of an operation is not reused for another value of %s",
    (_what, declared, given, cheap, costly) => {
      const lists = Array.from(
        { length: 30 },
        (_, index) => `a${index}: inviteLinks(channelId: -1, first: 8, filter: { ${given} }) {
        nodes { id } totalCount facets { withoutTypeCount } totals { budget } }`,
      );
      // The operation costs less than the limit without the condition and more with it.
      const document = parse(`query (${declared}) { ${lists.join(" ")} }`);
      const operation = new PreparedOperation(schema, document, operationOf(document));
      for (let time = 0; time < 2; time += 1) {
        expect(() => operation.checkCost(cheap)).not.toThrow();
        expect(() => operation.checkCost(costly)).toThrow("costs");
      }
    },
  );

  test("the cost of a series is not reused for other times or another unit", () => {
    const document = parse(`query ($from: DateTime!, $to: DateTime!, $unit: TimeUnit! = DAY) {
      inviteLinks(channelId: -1, first: 100) { nodes { stats {
        a: series(from: $from, to: $to, unit: $unit) { from }
        b: series(from: $from, to: $to, unit: $unit) { from }
        c: series(from: $from, to: $to, unit: $unit) { from } } } } }`);
    const [from, to] = ["2026-01-01T00:00:00Z", "2026-02-10T00:00:00Z"];
    const cheap = { from, to: "2026-02-09T23:59:59Z", unit: "MONTH" };
    const costly = [
      { from, to, unit: "HOUR" },
      { from: "1990-01-01T00:00:00Z", to },
    ];
    const orders = [
      [cheap, ...costly],
      [...costly, cheap],
    ];
    for (const order of orders) {
      const operation = new PreparedOperation(schema, document, operationOf(document));
      for (const given of [...order, ...order]) {
        const checking = expect(() => operation.checkCost(given));
        if (given === cheap) checking.not.toThrow();
        else checking.toThrow("costs");
      }
    }
  });
});

/** The dashboard's queries, which its source states in `graphql(…)`, each with all fragments of the dashboard. */
function dashboardDocuments(): DocumentNode[] {
  const folder = new URL("../../../dashboard/src/", import.meta.url);
  const texts = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.tsx?$/.test(name) && !name.includes("gql"))
    .flatMap((name) => [...readFileSync(new URL(name, folder), "utf8").matchAll(/graphql\(`([^`]*)`\)/g)])
    .map(([, text = ""]) => text);
  const { definitions } = parse(texts.join("\n"));
  const fragments = definitions.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION);
  return definitions
    .filter((one) => one.kind === Kind.OPERATION_DEFINITION && one.operation === OperationTypeNode.QUERY)
    .map((operation) => ({ kind: Kind.DOCUMENT, definitions: [operation, ...fragments] }));
}

describe("the dashboard's queries", () => {
  const documents = dashboardDocuments();

  test("the test finds the dashboard's queries in its source", () => {
    expect(documents.length).toBeGreaterThan(3);
  });

  test.each(documents.map((document) => [operationOf(document).name?.value ?? "", document] as const))(
    "the dashboard's query %s costs less than a tenth of the limit",
    (_name, document) => {
      const operation = operationOf(document);
      // The most costly filter of any state, and the longest page that the table requests.
      const filter = {
        name: "x",
        isRevoked: false,
        isExpired: false,
        createdFrom: "2026-01-01T00:00:00Z",
        tagGroups: groups(3, 5).map((group) => ({ ...group, withoutType: true })),
      };
      const values: Record<string, unknown> = {
        filter,
        without: { tagGroups: [{ tagTypeId: newId(), withoutType: true }] },
        withAll: true,
        first: 40,
        orderBy: [{ field: "ACTIVE_COUNT" }],
        by: "TAG",
        search: "ad",
        id: newId(),
        from: "2025-11-01T00:00:00Z",
        to: "2026-02-01T00:00:00Z",
        unit: "DAY",
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

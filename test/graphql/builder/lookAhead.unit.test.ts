import { buildSchema, type GraphQLObjectType, type GraphQLResolveInfo, graphql } from "graphql";
import { expect, test } from "vitest";
import { lookAhead } from "../../../src/graphql/builder/lookAhead.js";

const schema = buildSchema(
  "type Query { page: Page } type Page { nodes: [Node] } type Node { id: ID stats: Int }",
);

/** What a look-ahead from `page` to `nodes.stats` finds in a query. */
async function found(source: string): Promise<boolean[]> {
  const selectsStats = lookAhead(["nodes", "stats"]);
  const answers: boolean[] = [];
  const query = schema.getQueryType() as GraphQLObjectType;
  const field = query.getFields()["page"];
  if (!field) throw new TypeError("The schema has no page.");
  field.resolve = (_source: unknown, _args: unknown, _context: unknown, info: GraphQLResolveInfo) => {
    answers.push(selectsStats(info), selectsStats(info));
    return null;
  };
  expect(await graphql({ schema, source })).toEqual({ data: { page: null } });
  return answers;
}

test.each([
  ["a field", "{ page { nodes { id stats } } }"],
  ["an alias", "{ page { all: nodes { numbers: stats } } }"],
  ["an inline fragment", "{ page { ... on Page { nodes { ... { stats } } } } }"],
  [
    "a fragment in a fragment",
    "{ page { ...P } } fragment P on Page { nodes { ...N } } fragment N on Node { stats }",
  ],
  ["a second selection of the same field", "{ page { nodes { id } } page { nodes { stats } } }"],
])("a look-ahead finds the end of a path through %s", async (_, source) => {
  expect(await found(source)).toEqual([true, true]);
});

test.each([
  ["nothing at the end", "{ page { nodes { id } } }"],
  ["the end's name as an alias", "{ page { nodes { stats: id } } }"],
])("a look-ahead does not find the end of a path in a selection with %s", async (_, source) => {
  expect(new Set(await found(source))).toEqual(new Set([false]));
});

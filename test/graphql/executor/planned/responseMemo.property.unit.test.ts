import fc from "fast-check";
import { buildSchema, type GraphQLObjectType, getOperationAST, parse, validate } from "graphql";
import { expect, test } from "vitest";
import { withAttachment } from "../../../../src/domain/shared/attachment.js";
import { GraphQLJsExecutor } from "../../../../src/graphql/executor/graphqlJsExecutor.js";
import { PlannedExecutor } from "../../../../src/graphql/executor/planned/plannedExecutor.js";
import { PURE_FIELD } from "../../../../src/graphql/executor/planned/responseMemo.js";

interface Cached {
  readonly id: number;
  readonly name: string;
}

const schema = buildSchema(`
  type Query { cached(id: Int!): Cached all: [Cached!]! either: Either }
  union Either = Cached | Kind
  type Cached { id: Int! name: String! kind: Kind! caller: String! plus(number: Int = 1): Int! fails: Int }
  type Kind { name: String! caller: String! }
`);
const addResolvers = (
  type: string,
  resolvers: Record<string, (source: Cached, args: never, caller: string) => unknown>,
) => {
  const fields = (schema.getType(type) as GraphQLObjectType).getFields();
  for (const [name, resolve] of Object.entries(resolvers)) Object.assign(fields[name] ?? {}, { resolve });
};
const markPure = (type: string, ...names: string[]) => {
  const fields = (schema.getType(type) as GraphQLObjectType).getFields();
  for (const name of names) Object.assign(fields[name] ?? {}, { extensions: PURE_FIELD });
};

const makeCachedObjects = () =>
  ["plain", 'with "signs"\n', "with Ж and 🙂"].map((name, id): Cached => withAttachment({ id, name }));
let cachedObjects = makeCachedObjects();

addResolvers("Query", {
  cached: (_root, { id }: { id: number }) => cachedObjects[id],
  all: () => cachedObjects,
  either: () => ({ __typename: "Cached", ...cachedObjects[0] }),
});
addResolvers("Cached", {
  name: ({ name }) => name,
  kind: ({ name }) => ({ name: `kind of ${name}` }),
  caller: (_cached, _args, caller) => caller,
  plus: ({ id }, { number }: { number: number }) => id + number,
  fails: () => {
    throw new Error("failure");
  },
});
addResolvers("Kind", { caller: (_kind, _args, caller) => caller });
markPure("Cached", "name", "kind", "fails");

const alias = fc.constantFrom("", "", "a: ", "b: ");
const when = fc.constantFrom("", "", "@include(if: $yes)", "@skip(if: $yes)");
const fields = (names: readonly string[]) =>
  fc
    .array(fc.tuple(alias, fc.constantFrom(...names), when), { minLength: 1, maxLength: 5 })
    .map(
      (all) =>
        `{ ${all.map(([as, name, directive]) => name.replace("field", `${as}`).replace("when", directive)).join(" ")} }`,
    );
const ofKind = fields(["fieldname when", "fieldname when", "field__typename", "fieldcaller when"]);
const ofCached = ofKind.chain((kind) =>
  fields([
    "fieldid when",
    "fieldname when",
    "fieldname when",
    "field__typename",
    `kind when ${kind}`,
    `kind when ${kind}`,
    "fieldcaller when",
    "fieldplus(number: $n) when",
    "fieldfails when",
  ]),
);
const requests = fc.array(
  fc.record({
    selection: fc.oneof(
      ofCached.map((of) => `all ${of}`),
      ofCached.map((of) => `cached(id: $n) ${of}`),
      ofCached.map((of) => `either { ... on Cached ${of} }`),
    ),
    caller: fc.constantFrom("one", "other"),
    n: fc.nat(2),
    yes: fc.boolean(),
  }),
  { minLength: 2, maxLength: 8 },
);

test("the response memo of a cached object gives the same result as graphql-js for every caller", async () => {
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(requests, async (all) => {
      cachedObjects = makeCachedObjects();
      for (const { selection, caller, n, yes } of all) {
        const document = parse(`query ($n: Int!, $yes: Boolean!) { ${selection} }`);
        const problems = validate(schema, document).filter(({ message }) => !/is never used/.test(message));
        if (problems.length > 0) continue;
        compared += 1;
        const definition = getOperationAST(document);
        if (!definition) throw new TypeError("There is an operation.");
        const planned = new PlannedExecutor({ schema, document, definition });
        const graphqlJs = new GraphQLJsExecutor({ schema, document, definition });
        const variables = { given: { n, yes }, coerced: { n, yes } };
        const expected = await graphqlJs.execute(caller, variables);
        for (let times = 0; times < 2; times += 1) {
          const { data, errors = [] } = await planned.execute(caller, variables);
          expect(data).toBe(expected.data);
          expect(errors.map(({ path }) => path)).toEqual((expected.errors ?? []).map(({ path }) => path));
        }
      }
    }),
    { numRuns: 500 },
  );
  expect(compared).toBeGreaterThan(200);
});

import fc from "fast-check";
import { buildSchema, type GraphQLObjectType, getOperationAST, parse, validate } from "graphql";
import { expect, test } from "vitest";
import { withAttachment } from "../../../../src/domain/shared/attachment.js";
import { GraphQLJsExecutor } from "../../../../src/graphql/executor/graphqlJsExecutor.js";
import { PlannedExecutor } from "../../../../src/graphql/executor/planned/plannedExecutor.js";
import { PURE_FIELD } from "../../../../src/graphql/executor/planned/responseMemo.js";

interface Kept {
  readonly id: number;
  readonly name: string;
}

const schema = buildSchema(`
  type Query { kept(id: Int!): Kept all: [Kept!]! either: Either }
  union Either = Kept | Kind
  type Kept { id: Int! name: String! kind: Kind! asker: String! plus(number: Int = 1): Int! fails: Int }
  type Kind { name: String! asker: String! }
`);
const addResolvers = (
  type: string,
  resolvers: Record<string, (source: Kept, args: never, asker: string) => unknown>,
) => {
  const fields = (schema.getType(type) as GraphQLObjectType).getFields();
  for (const [name, resolve] of Object.entries(resolvers)) Object.assign(fields[name] ?? {}, { resolve });
};
const markPure = (type: string, ...names: string[]) => {
  const fields = (schema.getType(type) as GraphQLObjectType).getFields();
  for (const name of names) Object.assign(fields[name] ?? {}, { extensions: PURE_FIELD });
};

const makeKeptObjects = () =>
  ["plain", 'with "signs"\n', "with Ж and 🙂"].map((name, id): Kept => withAttachment({ id, name }));
let keptObjects = makeKeptObjects();

addResolvers("Query", {
  kept: (_root, { id }: { id: number }) => keptObjects[id],
  all: () => keptObjects,
  either: () => ({ __typename: "Kept", ...keptObjects[0] }),
});
addResolvers("Kept", {
  name: ({ name }) => name,
  kind: ({ name }) => ({ name: `kind of ${name}` }),
  asker: (_kept, _args, asker) => asker,
  plus: ({ id }, { number }: { number: number }) => id + number,
  fails: () => {
    throw new Error("trouble");
  },
});
addResolvers("Kind", { asker: (_kind, _args, asker) => asker });
markPure("Kept", "name", "kind", "fails");

const alias = fc.constantFrom("", "", "a: ", "b: ");
const when = fc.constantFrom("", "", "@include(if: $yes)", "@skip(if: $yes)");
const fields = (names: readonly string[]) =>
  fc
    .array(fc.tuple(alias, fc.constantFrom(...names), when), { minLength: 1, maxLength: 5 })
    .map(
      (all) =>
        `{ ${all.map(([as, name, directive]) => name.replace("field", `${as}`).replace("when", directive)).join(" ")} }`,
    );
const ofKind = fields(["fieldname when", "fieldname when", "field__typename", "fieldasker when"]);
const ofKept = ofKind.chain((kind) =>
  fields([
    "fieldid when",
    "fieldname when",
    "fieldname when",
    "field__typename",
    `kind when ${kind}`,
    `kind when ${kind}`,
    "fieldasker when",
    "fieldplus(number: $n) when",
    "fieldfails when",
  ]),
);
const requests = fc.array(
  fc.record({
    asked: fc.oneof(
      ofKept.map((of) => `all ${of}`),
      ofKept.map((of) => `kept(id: $n) ${of}`),
      ofKept.map((of) => `either { ... on Kept ${of} }`),
    ),
    asker: fc.constantFrom("one", "other"),
    n: fc.nat(2),
    yes: fc.boolean(),
  }),
  { minLength: 2, maxLength: 8 },
);

test("memoized JSON of a kept object equals what graphql-js answers, whoever the caller is", async () => {
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(requests, async (all) => {
      keptObjects = makeKeptObjects();
      for (const { asked, asker, n, yes } of all) {
        const document = parse(`query ($n: Int!, $yes: Boolean!) { ${asked} }`);
        const problems = validate(schema, document).filter(({ message }) => !/is never used/.test(message));
        if (problems.length > 0) continue;
        compared += 1;
        const definition = getOperationAST(document);
        if (!definition) throw new TypeError("There is an operation.");
        const planned = new PlannedExecutor({ schema, document, definition });
        const graphqlJs = new GraphQLJsExecutor({ schema, document, definition });
        const variables = { given: { n, yes }, coerced: { n, yes } };
        const expected = await graphqlJs.execute(asker, variables);
        for (let times = 0; times < 2; times += 1) {
          const { data, errors = [] } = await planned.execute(asker, variables);
          expect(data).toBe(expected.data);
          expect(errors.map(({ path }) => path)).toEqual((expected.errors ?? []).map(({ path }) => path));
        }
      }
    }),
    { numRuns: 500 },
  );
  expect(compared).toBeGreaterThan(200);
});

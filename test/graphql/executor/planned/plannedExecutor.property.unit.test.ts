import fc from "fast-check";
import {
  buildSchema,
  type GraphQLSchema,
  getOperationAST,
  getVariableValues,
  isAbstractType,
  isObjectType,
  parse,
  validate,
} from "graphql";
import { expect, test } from "vitest";
import type { ExecutorResult } from "../../../../src/graphql/executor/executor.js";
import { GraphQLJsExecutor } from "../../../../src/graphql/executor/graphqlJsExecutor.js";
import { parseJson } from "../../../../src/graphql/executor/json.js";
import { PlannedExecutor } from "../../../../src/graphql/executor/planned/plannedExecutor.js";

const schema: GraphQLSchema = buildSchema(`
  interface Thing { text: String required: String! one: Thing }
  type Leaf implements Thing { text: String required: String! number(plus: Int = 1, of: [Int!]): Int one: Thing }
  type Branch implements Thing {
    text: String required: String! one: Thing must: Thing! any: Either leaves: [Leaf] all: [Leaf!]! kind: Kind checked: Checked
  }
  type Checked { text: String required: String! }
  union Either = Leaf | Branch
  enum Kind { OLD NEW }
  type Query { branch: Branch must: Branch! things: [Thing!] either: Either nested: [[Branch]] number(plus: Int!): Int }
`);

/**
 * Makes a function that returns a value, returns null or an Error, or throws, synchronously or through a promise. The seed and
 * the place in the result decide, so that both executors get the same values.
 * @param errorRate percentage of places that throw; as many return null, and as many an Error
 */
function faultyValues(seed: number, errorRate: number) {
  return (place: string, make: () => unknown, isItem = false): unknown => {
    let hash = seed;
    for (const letter of place) hash = (hash * 31 + letter.charCodeAt(0)) >>> 0;
    // List items fail asynchronously only: after a synchronous failure, graphql-js leaves later rejections of the list unhandled.
    const [kind, isLate] = [hash % 100, (hash >> 8) % 2 === 1 || (isItem && errorRate > 0)];
    const giveFaulty = (): unknown => {
      if (kind < errorRate) throw new Error(`failure at ${place}`);
      if (kind < 2 * errorRate) return null;
      if (kind < 3 * errorRate) return new Error(`an error at ${place}`);
      return make();
    };
    return isLate ? Promise.resolve().then(giveFaulty) : giveFaulty();
  };
}

interface Source {
  readonly place: string;
  readonly type: string;
}

type FaultyValue = ReturnType<typeof faultyValues>;

for (const type of Object.values(schema.getTypeMap())) {
  if (isAbstractType(type)) {
    type.resolveType = (value) => {
      const { type: name, place } = value as Source;
      return place.length % 2 === 0 ? Promise.resolve(name) : name;
    };
  }
  if (!isObjectType(type) || type.name.startsWith("__")) continue;
  if (type.name === "Checked") type.isTypeOf = (value) => (value as Source).place.length % 3 !== 0;
  for (const field of Object.values(type.getFields())) {
    field.resolve = (source: Source | undefined, args, giveFaulty: FaultyValue, info) => {
      const place = `${source?.place ?? ""}/${info.path.key}:${info.fieldName}${JSON.stringify(args)}`;
      const item = (index: number, of: string) =>
        giveFaulty(`${place}.${index}`, () => ({ place: `${place}.${index}`, type: of }), true);
      const values: Record<string, () => unknown> = {
        text: () => `text of ${info.parentType.name} under ${info.path.prev?.key}`,
        required: () => "required",
        number: () => 40 + ((args as { plus?: number }).plus ?? 0),
        kind: () => (place.length % 5 === 0 ? "unknown" : "NEW"),
        leaves: () => (place.length % 7 === 0 ? "no list" : [0, 1].map((index) => item(index, "Leaf"))),
        all: () => [0, 1, 2].map((index) => item(index, "Leaf")),
        things: () => ["Leaf", "Branch"].map((of, index) => item(index, of)),
        nested: () => [[item(0, "Branch")], null, [item(1, "Branch"), item(2, "Branch")]],
        checked: () => ({ place, type: "Checked" }),
        branch: () => ({ place, type: "Branch" }),
        one: () => ({ place, type: place.length % 2 === 0 ? "Leaf" : "Branch" }),
        must: () => ({ place, type: "Branch" }),
        any: () => ({ place, type: place.length % 4 === 0 ? "Query" : "Leaf" }),
        either: () => ({ place, type: "Branch" }),
      };
      return giveFaulty(place, () => values[field.name]?.());
    };
  }
}

const FIELDS: Record<string, readonly (readonly [name: string, type: string | null])[]> = {
  Query: [
    ["branch", "Branch"],
    ["must", "Branch"],
    ["things", "Thing"],
    ["either", "Either"],
    ["nested", "Branch"],
    ["number(plus: $n)", null],
  ],
  Branch: [
    ["text", null],
    ["required", null],
    ["one", "Thing"],
    ["must", "Thing"],
    ["any", "Either"],
    ["leaves", "Leaf"],
    ["all", "Leaf"],
    ["kind", null],
    ["checked", "Checked"],
  ],
  Leaf: [
    ["text", null],
    ["required", null],
    ["number", null],
    ["number(plus: $m)", null],
    ["number(plus: 5, of: [1, $n])", null],
    ["one", "Thing"],
  ],
  Thing: [
    ["text", null],
    ["required", null],
    ["one", "Thing"],
  ],
  Checked: [
    ["text", null],
    ["required", null],
  ],
  Either: [],
};
const CONDITIONS: Record<string, readonly string[]> = {
  Thing: ["Leaf", "Branch", "Thing"],
  Either: ["Leaf", "Branch", "Thing"],
  Leaf: ["Leaf", "Thing"],
  Branch: ["Branch", "Thing"],
  Query: ["Query"],
  Checked: ["Checked"],
};
const directive = fc.constantFrom(
  "",
  "",
  "",
  "",
  "@skip(if: $yes)",
  "@include(if: $yes)",
  "@include(if: $no)",
  "@skip(if: true)",
);
const alias = fc.constantFrom("", "", "", "a: ", "b: ", "__proto__: ");

function selection(type: string, depth: number): fc.Arbitrary<string> {
  const fields = FIELDS[type] ?? [];
  const possible = depth > 0 ? fields : fields.filter(([, of]) => of === null);
  const parts: fc.Arbitrary<string>[] = [fc.constant("__typename"), alias.map((name) => `${name}__typename`)];
  for (const [name, of] of possible) {
    const below =
      of === null ? fc.constant("") : fc.option(selection(of, depth - 1), { nil: "{ __typename }" });
    parts.push(fc.tuple(alias, directive, below).map(([as, when, set]) => `${as}${name} ${when} ${set}`));
  }
  if (depth > 0) {
    for (const on of CONDITIONS[type] ?? []) {
      parts.push(
        fc.tuple(directive, selection(on, depth - 1)).map(([when, set]) => `... on ${on} ${when} ${set}`),
      );
      parts.push(directive.map((when) => `...${on}Fragment ${when}`));
    }
  }
  return fc.array(fc.oneof(...parts), { minLength: 1, maxLength: 5 }).map((all) => `{ ${all.join(" ")} }`);
}

const operation = fc.record({
  root: selection("Query", 4),
  fragments: fc.tuple(
    ...["Leaf", "Branch", "Thing", "Query", "Checked"].map((on) =>
      selection(on, 0).map((set) => `fragment ${on}Fragment on ${on} ${set}`),
    ),
  ),
  variables: fc.record(
    {
      n: fc.integer({ min: 0, max: 9 }),
      yes: fc.boolean(),
      no: fc.boolean(),
      m: fc.option(fc.integer({ min: 0, max: 9 })),
    },
    { requiredKeys: ["n", "yes", "no"] },
  ),
  seed: fc.nat(),
  errorRate: fc.constantFrom(0, 0, 2, 5, 20),
});

/** Whether the error nulled an ancestor of its field as well. */
function hasNulledMore(data: unknown, path: readonly (string | number)[]): boolean {
  let place = data;
  for (const key of path) {
    if (place === null || place === undefined) return true;
    place = (place as Record<string | number, unknown>)[key];
  }
  return false;
}

/**
 * The parts of a result on which both executors must agree. If several errors null the same object, the specification
 * leaves open which of them are reported; only the presence of an error is compared then.
 */
function factsOf({ data: json = "null", errors = [] }: ExecutorResult) {
  const data = parseJson(json);
  return {
    data: JSON.stringify(data),
    hasErrors: errors.length > 0,
    errors: errors
      .filter(({ path = [] }) => !hasNulledMore(data, path))
      .map(({ message, path, locations }) => JSON.stringify({ message, path, locations }))
      .sort(),
  };
}

/** Messages that the two executors word differently. */
const REWORDED = /Abstract type|Expected value of type|Runtime Object type/;

test("the planned executor returns the same result as the graphql-js executor", async () => {
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(operation, async ({ root, fragments, variables: given, seed, errorRate }) => {
      const used = fragments.filter((text) => new RegExp(`\\.\\.\\.${text.split(" ")[1]}\\b`).test(root));
      const document = parse(
        `query Q($n: Int!, $m: Int, $yes: Boolean!, $no: Boolean!) ${root} ${used.join(" ")}`,
      );
      const problems = validate(schema, document).filter(({ message }) => !/is never used/.test(message));
      // The document selects two different fields under one key, and no server executes such a document.
      if (problems.length > 0) return;
      compared += 1;
      const definition = getOperationAST(document);
      if (!definition) throw new TypeError("There is an operation.");
      const { coerced = {} } = getVariableValues(schema, definition.variableDefinitions ?? [], given);
      const planned = new PlannedExecutor({ schema, document, definition });
      const graphqlJs = new GraphQLJsExecutor({ schema, document, definition });
      const expected = await graphqlJs.execute(faultyValues(seed, errorRate), { given, coerced });
      for (let times = 0; times < 2; times += 1) {
        const found = await planned.execute(faultyValues(seed, errorRate), { given, coerced });
        const [ours, theirs] = [factsOf(found), factsOf(expected)];
        expect([ours.data, ours.hasErrors]).toEqual([theirs.data, theirs.hasErrors]);
        if (!REWORDED.test(theirs.errors.join())) expect(ours.errors).toEqual(theirs.errors);
        else expect(ours.errors).toHaveLength(theirs.errors.length);
      }
    }),
    { numRuns: 800 },
  );
  expect(compared).toBeGreaterThan(200);
});

test("the planned executor leaves no rejection unhandled when an item of a list fails synchronously", async () => {
  const failing = buildSchema("type Query { list: [Item!] } type Item { late: Int! }");
  const list = failing.getQueryType()?.getFields()["list"];
  if (!list) throw new TypeError("There is a list.");
  const late = () => Promise.reject(new Error("late"));
  list.resolve = () => [{ late }, new Error("at once"), late(), { late }];
  const document = parse("{ list { late } }");
  const definition = getOperationAST(document);
  if (!definition) throw new TypeError("There is an operation.");
  const executor = new PlannedExecutor({ schema: failing, document, definition });
  const { data, errors } = await executor.execute(null, { given: {}, coerced: {} });
  expect(data).toBe('{"list":null}');
  expect(errors?.map(({ message }) => message)).toEqual(["at once"]);
});

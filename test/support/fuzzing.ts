// Generators of odd GraphQL operations and values for test/fuzz.test.ts.

import fc from "fast-check";
import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLNamedType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
} from "graphql";

/** fast-check's function that draws a value. fast-check reports the drawn values of a failure, and shrinks them. */
export type Draw = fc.GeneratorValue;

export const drawOne = <Value>(draw: Draw, values: readonly Value[]): Value => {
  const value = values[draw(fc.nat, { max: values.length - 1 })];
  return value as Value;
};
/** True once in `times` on average. */
export const onceIn = (draw: Draw, times: number): boolean => draw(fc.nat, { max: times - 1 }) === times - 1;

export const ODD_TEXTS: readonly string[] = [
  "",
  " ",
  "a",
  "\u0000",
  "a\u0000b",
  "\ud800",
  "\udc00a",
  "🙂".repeat(40),
  "\u202eabc",
  "ﷺ".repeat(64),
  "İ".repeat(33),
  "%_\\'\"$1",
  "null",
  "__proto__",
  "constructor",
  "x".repeat(70_000),
  "\r\n\t",
  "1e400",
  "-0",
  "٣",
  "#12345G",
  "#ffffff",
  "@channel",
  "@a_valid_username",
  "2026-01-01T00:00:00Z",
  "+010000-01-01T00:00:00Z",
  "0000-01-01T00:00:00Z",
  "2026-12-31T23:59:60Z",
  "9999-12-31T23:59:59.999999999+23:59",
  "https://t.me/+AAAA",
  "javascript:alert(1)",
  "USD",
  "ZZZ",
  Buffer.from("Tag:").toString("base64"),
  Buffer.from("InviteLink:01991000-0000-7000-8000-000000000013:").toString("base64"),
  Buffer.from('[1,"created_at DESC,id DESC","2026-02-30T00:00:00.000Z","x"]').toString("base64url"),
  Buffer.from('[1,"createdAt DESC,id DESC",null,null]').toString("base64url"),
];
export const ODD_NUMBERS: readonly number[] = [
  0,
  -0,
  1,
  -1,
  10,
  99,
  100,
  101,
  1_000,
  2 ** 31 - 1,
  -(2 ** 31),
  2 ** 31,
  2 ** 52,
  -(2 ** 52),
  2 ** 53,
  1e21,
  1e308,
  5e-324,
  1.5,
  0.005,
  999_999_999_999.99,
];
export const ODD_VALUES: readonly unknown[] = [
  ...ODD_TEXTS,
  ...ODD_NUMBERS,
  null,
  true,
  false,
  [],
  {},
  [null],
  [[]],
  { a: 1 },
  JSON.parse('{"__proto__":{"a":1}}'),
  { length: 5 },
  Array.from({ length: 1_100 }, () => "x"),
  JSON.parse("[".repeat(500) + "]".repeat(500)),
];

export const oddText = (draw: Draw): string =>
  onceIn(draw, 3) ? draw(fc.string, { unit: "binary", maxLength: 80 }) : drawOne(draw, ODD_TEXTS);

/** Values that exist on the server, by the name of the scalar that accepts them. */
export type ExistingValues = Readonly<Record<string, readonly unknown[]>>;

function scalarOf(draw: Draw, name: string, existing: ExistingValues): unknown {
  const values = existing[name] ?? [];
  if (values.length > 0 && !onceIn(draw, 4)) return drawOne(draw, values);
  switch (name) {
    case "Int":
      return onceIn(draw, 2) ? draw(fc.integer, { min: 0, max: 100 }) : drawOne(draw, ODD_NUMBERS);
    case "TelegramID":
      return drawOne(draw, ODD_NUMBERS);
    case "Boolean":
      return draw(fc.boolean);
    case "Decimal":
      return drawOne(draw, ["0", "1500.50", "-1", 0.1, 1e3, "1e3", "999999999999.99", "1000000000000"]);
    case "DateTime":
      return new Date(draw(fc.integer, { min: -62_135_596_800, max: 253_402_300_799 }) * 1_000).toISOString();
    default:
      return oddText(draw);
  }
}

/** A value for an input type, mostly a valid one. */
export function inputOf(draw: Draw, type: GraphQLInputType, existing: ExistingValues): unknown {
  if (onceIn(draw, 30)) return drawOne(draw, ODD_VALUES);
  if (isNonNullType(type)) return inputOf(draw, type.ofType, existing);
  if (onceIn(draw, 12)) return null;
  if (isListType(type)) {
    const length = draw(fc.nat, { max: 3 });
    return Array.from({ length }, () => inputOf(draw, type.ofType, existing));
  }
  if (isEnumType(type)) return drawOne(draw, type.getValues()).name;
  if (!isInputObjectType(type)) return scalarOf(draw, type.name, existing);
  const fields = Object.values(type.getFields()).filter(
    (field) => (isNonNullType(field.type) && field.defaultValue === undefined) || onceIn(draw, 2),
  );
  const input = Object.fromEntries(fields.map((field) => [field.name, inputOf(draw, field.type, existing)]));
  return onceIn(draw, 40) ? { ...input, unknown: 1 } : input;
}

/** A JSON value as a GraphQL literal of a type, or as plain JSON if it does not fit the type. */
export function literalOf(value: unknown, type: GraphQLNamedType): string {
  if (Array.isArray(value)) return `[${value.map((item) => literalOf(item, type)).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    const fields = isInputObjectType(type) ? type.getFields() : {};
    const parts = Object.entries(value).map(([name, inner]) => {
      const of = fields[name]?.type;
      return `${name}: ${literalOf(inner, of ? getNamedType(of) : type)}`;
    });
    return `{ ${parts.join(", ")} }`;
  }
  if (isEnumType(type) && typeof value === "string" && /^[A-Z_]+$/.test(value)) return value;
  return JSON.stringify(value);
}

/** The parts of one operation while it is generated. */
class OperationBuilder {
  readonly #draw: Draw;
  readonly #schema: GraphQLSchema;
  readonly #existing: ExistingValues;
  readonly definitions: string[] = [];
  readonly variables: Record<string, unknown> = {};
  readonly fragments: string[] = [];

  constructor(draw: Draw, schema: GraphQLSchema, existing: ExistingValues) {
    this.#draw = draw;
    this.#schema = schema;
    this.#existing = existing;
  }

  field(field: GraphQLField<unknown, unknown>, depth: number): string {
    const draw = this.#draw;
    const given = field.args.filter((arg) => isNonNullType(arg.type) || onceIn(draw, 3));
    const args = given.map((arg) => `${arg.name}: ${this.#argument(arg)}`);
    const alias = onceIn(draw, 12) ? `${drawOne(draw, ["a", "b", "__proto__", "constructor"])}: ` : "";
    const directive = onceIn(draw, 15) ? this.#condition() : "";
    return `${alias}${field.name}${args.length > 0 ? `(${args.join(", ")})` : ""} ${directive} ${this.#subselection(field.type, depth)}`;
  }

  #argument(arg: GraphQLArgument): string {
    const value = inputOf(this.#draw, arg.type, this.#existing);
    if (onceIn(this.#draw, 2)) return literalOf(value, getNamedType(arg.type));
    return this.#variable(String(arg.type), value);
  }

  #variable(type: string, value: unknown): string {
    const name = `v${this.definitions.length}`;
    this.definitions.push(`$${name}: ${type}`);
    this.variables[name] = value;
    return `$${name}`;
  }

  #condition(): string {
    const draw = this.#draw;
    const value = drawOne(draw, [true, false, null, "true"]);
    const type = drawOne(draw, ["Boolean!", "Boolean = true", "Boolean! = false"]);
    return `@${drawOne(draw, ["include", "skip"])}(if: ${this.#variable(type, value)})`;
  }

  #subselection(type: GraphQLOutputType, depth: number): string {
    const named = getNamedType(type);
    return isLeafType(named) ? "" : `{ ${this.selection(named, depth)} }`;
  }

  selection(type: GraphQLNamedType, depth: number): string {
    const draw = this.#draw;
    const parts = ["__typename"];
    if (isObjectType(type) || isInterfaceType(type)) {
      for (const field of Object.values(type.getFields())) {
        const isLeaf = isLeafType(getNamedType(field.type));
        if ((isLeaf || depth > 0) && onceIn(draw, isLeaf ? 2 : 3)) parts.push(this.field(field, depth - 1));
      }
    }
    if (isAbstractType(type)) {
      for (const member of this.#schema.getPossibleTypes(type)) {
        if (onceIn(draw, 2)) parts.push(`... on ${member.name} { ${this.selection(member, depth)} }`);
      }
    }
    if (onceIn(draw, 20)) {
      const name = `f${this.fragments.length}`;
      this.fragments.push("");
      const content = this.selection(type, Math.max(0, depth - 1));
      this.fragments[Number(name.slice(1))] = `fragment ${name} on ${type.name} { ${content} }`;
      parts.push(`...${name}`);
    }
    if (onceIn(draw, 60))
      parts.push(drawOne(draw, ["unknown", "name: id", "__schema { types { name } }", "...x"]));
    return parts.join(" ");
  }
}

export interface FuzzedOperation {
  readonly query: string;
  readonly variables: Record<string, unknown>;
}

/** An operation with one to three root fields, mostly valid. */
export function operationOf(draw: Draw, schema: GraphQLSchema, existing: ExistingValues): FuzzedOperation {
  const kind = drawOne(draw, ["query", "query", "mutation"] as const);
  const root = kind === "query" ? schema.getQueryType() : schema.getMutationType();
  if (!root) throw new TypeError(`The schema has no ${kind}.`);
  const builder = new OperationBuilder(draw, schema, existing);
  const fields = Object.values(root.getFields());
  const length = 1 + draw(fc.nat, { max: 2 });
  const parts = Array.from(
    { length },
    (_, index) => `r${index}: ${builder.field(drawOne(draw, fields), 3).replace(/^\w+: /, "")}`,
  );
  const definitions = builder.definitions.length > 0 ? `(${builder.definitions.join(", ")})` : "";
  return {
    query: `${kind} ${definitions} { ${parts.join(" ")} } ${builder.fragments.join(" ")}`,
    variables: builder.variables,
  };
}

/** The path to a value in an input: names of fields, and 0 for the item of a list. */
type InputPath = readonly (string | number)[];

function pathsOf(type: GraphQLInputType, path: InputPath = []): InputPath[] {
  if (isNonNullType(type)) return pathsOf(type.ofType, path);
  if (isListType(type)) return [path, ...pathsOf(type.ofType, [...path, 0])];
  if (!isInputObjectType(type)) return [path];
  return [
    path,
    ...Object.values(type.getFields()).flatMap((field) => pathsOf(field.type, [...path, field.name])),
  ];
}

/** The smallest valid value of a type, with `odd` at a path. A null path puts it nowhere. */
function sampleOf(
  type: GraphQLInputType,
  existing: ExistingValues,
  path: InputPath | null,
  odd: unknown,
): unknown {
  if (path?.length === 0) return odd;
  if (isNonNullType(type)) return sampleOf(type.ofType, existing, path, odd);
  if (isListType(type)) return [sampleOf(type.ofType, existing, path?.slice(1) ?? null, odd)];
  if (isEnumType(type)) return type.getValues()[0]?.name;
  if (!isInputObjectType(type)) {
    const samples: Record<string, unknown> = {
      Int: 1,
      Boolean: false,
      DateTime: "2027-01-01T00:00:00Z",
      Decimal: "1",
    };
    return existing[type.name]?.[0] ?? samples[type.name] ?? "a";
  }
  const fields = Object.values(type.getFields()).flatMap((field): [string, unknown][] => {
    const isOnPath = path?.[0] === field.name;
    if (!isOnPath && !isNonNullType(field.type)) return [];
    return [[field.name, sampleOf(field.type, existing, isOnPath ? path.slice(1) : null, odd)]];
  });
  return Object.fromEntries(fields);
}

/** One operation for each argument of a root field, or field of an input below it, and each of `values`. */
export function* everyArgument(
  schema: GraphQLSchema,
  existing: ExistingValues,
  values: readonly unknown[] = ODD_VALUES,
): Generator<FuzzedOperation & { what: string }> {
  const roots = [
    ["query", schema.getQueryType()],
    ["mutation", schema.getMutationType()],
  ] as const;
  for (const [kind, root] of roots) {
    for (const field of Object.values(root?.getFields() ?? {})) {
      for (const meant of field.args) {
        for (const path of pathsOf(meant.type)) {
          for (const odd of values) {
            const given = field.args.filter((arg) => arg === meant || isNonNullType(arg.type));
            const variables = Object.fromEntries(
              given.map((arg) => [arg.name, sampleOf(arg.type, existing, arg === meant ? path : null, odd)]),
            );
            const definitions = given.map((arg) => `$${arg.name}: ${arg.type}`).join(", ");
            const args = given.map((arg) => `${arg.name}: $${arg.name}`).join(", ");
            const below = isLeafType(getNamedType(field.type)) ? "" : "{ __typename ...all }";
            const named = getNamedType(field.type);
            const all =
              isObjectType(named) && named.name.endsWith("Connection")
                ? "nodes { __typename } totalCount"
                : "__typename";
            yield {
              what: `${field.name}(${[meant.name, ...path].join(".")})`,
              query: `${kind} (${definitions}) { ${field.name}(${args}) ${below} } fragment all on ${named.name} { ${all} }`,
              variables,
            };
          }
        }
      }
    }
  }
}

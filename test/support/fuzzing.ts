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

/** Draws a value; a failure is reported with all that was drawn, and made smaller. */
export type Draw = fc.GeneratorValue;

export const drawOne = <Value>(draw: Draw, values: readonly Value[]): Value => {
  const value = values[draw(fc.nat, { max: values.length - 1 })];
  return value as Value;
};
/** True once in so many times. */
export const rarely = (draw: Draw, times: number): boolean => draw(fc.nat, { max: times - 1 }) === times - 1;

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
  rarely(draw, 3) ? draw(fc.string, { unit: "binary", maxLength: 80 }) : drawOne(draw, ODD_TEXTS);

/** Values that the server has, by the names of the scalars that take them. */
export type Known = Readonly<Record<string, readonly unknown[]>>;

function scalarOf(draw: Draw, name: string, known: Known): unknown {
  const values = known[name] ?? [];
  if (values.length > 0 && !rarely(draw, 4)) return drawOne(draw, values);
  switch (name) {
    case "Int":
      return rarely(draw, 2) ? draw(fc.integer, { min: 0, max: 100 }) : drawOne(draw, ODD_NUMBERS);
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

/** A value for an input type, mostly one that it takes. */
export function inputOf(draw: Draw, type: GraphQLInputType, known: Known): unknown {
  if (rarely(draw, 30)) return drawOne(draw, ODD_VALUES);
  if (isNonNullType(type)) return inputOf(draw, type.ofType, known);
  if (rarely(draw, 12)) return null;
  if (isListType(type)) {
    const length = draw(fc.nat, { max: 3 });
    return Array.from({ length }, () => inputOf(draw, type.ofType, known));
  }
  if (isEnumType(type)) return drawOne(draw, type.getValues()).name;
  if (!isInputObjectType(type)) return scalarOf(draw, type.name, known);
  const fields = Object.values(type.getFields()).filter(
    (field) => (isNonNullType(field.type) && field.defaultValue === undefined) || rarely(draw, 2),
  );
  const input = Object.fromEntries(fields.map((field) => [field.name, inputOf(draw, field.type, known)]));
  return rarely(draw, 40) ? { ...input, unknown: 1 } : input;
}

/** A JSON value as a literal of the type; as it comes where it does not fit. */
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

/** An operation while it is made. */
class OperationMaker {
  readonly #draw: Draw;
  readonly #schema: GraphQLSchema;
  readonly #known: Known;
  readonly definitions: string[] = [];
  readonly variables: Record<string, unknown> = {};
  readonly fragments: string[] = [];

  constructor(draw: Draw, schema: GraphQLSchema, known: Known) {
    this.#draw = draw;
    this.#schema = schema;
    this.#known = known;
  }

  field(field: GraphQLField<unknown, unknown>, depth: number): string {
    const draw = this.#draw;
    const given = field.args.filter((arg) => isNonNullType(arg.type) || rarely(draw, 3));
    const args = given.map((arg) => `${arg.name}: ${this.#argument(arg)}`);
    const alias = rarely(draw, 12) ? `${drawOne(draw, ["a", "b", "__proto__", "constructor"])}: ` : "";
    const directive = rarely(draw, 15) ? this.#condition() : "";
    return `${alias}${field.name}${args.length > 0 ? `(${args.join(", ")})` : ""} ${directive} ${this.#below(field.type, depth)}`;
  }

  #argument(arg: GraphQLArgument): string {
    const value = inputOf(this.#draw, arg.type, this.#known);
    if (rarely(this.#draw, 2)) return literalOf(value, getNamedType(arg.type));
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

  #below(type: GraphQLOutputType, depth: number): string {
    const named = getNamedType(type);
    return isLeafType(named) ? "" : `{ ${this.selection(named, depth)} }`;
  }

  selection(type: GraphQLNamedType, depth: number): string {
    const draw = this.#draw;
    const parts = ["__typename"];
    if (isObjectType(type) || isInterfaceType(type)) {
      for (const field of Object.values(type.getFields())) {
        const isLeaf = isLeafType(getNamedType(field.type));
        if ((isLeaf || depth > 0) && rarely(draw, isLeaf ? 2 : 3)) parts.push(this.field(field, depth - 1));
      }
    }
    if (isAbstractType(type)) {
      for (const member of this.#schema.getPossibleTypes(type)) {
        if (rarely(draw, 2)) parts.push(`... on ${member.name} { ${this.selection(member, depth)} }`);
      }
    }
    if (rarely(draw, 20)) {
      const name = `f${this.fragments.length}`;
      this.fragments.push("");
      const content = this.selection(type, Math.max(0, depth - 1));
      this.fragments[Number(name.slice(1))] = `fragment ${name} on ${type.name} { ${content} }`;
      parts.push(`...${name}`);
    }
    if (rarely(draw, 60))
      parts.push(drawOne(draw, ["unknown", "name: id", "__schema { types { name } }", "...x"]));
    return parts.join(" ");
  }
}

export interface FuzzedOperation {
  readonly query: string;
  readonly variables: Record<string, unknown>;
}

/** An operation with one to three fields of a root, mostly valid. */
export function operationOf(draw: Draw, schema: GraphQLSchema, known: Known): FuzzedOperation {
  const kind = drawOne(draw, ["query", "query", "mutation"] as const);
  const root = kind === "query" ? schema.getQueryType() : schema.getMutationType();
  if (!root) throw new TypeError(`The schema has no ${kind}.`);
  const maker = new OperationMaker(draw, schema, known);
  const fields = Object.values(root.getFields());
  const length = 1 + draw(fc.nat, { max: 2 });
  const parts = Array.from(
    { length },
    (_, index) => `r${index}: ${maker.field(drawOne(draw, fields), 3).replace(/^\w+: /, "")}`,
  );
  const definitions = maker.definitions.length > 0 ? `(${maker.definitions.join(", ")})` : "";
  return {
    query: `${kind} ${definitions} { ${parts.join(" ")} } ${maker.fragments.join(" ")}`,
    variables: maker.variables,
  };
}

/** A way into an input: the names of the fields to the value, list items by 0. */
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

/** The smallest value that a type takes, with one that is given at a path. */
function sampleOf(type: GraphQLInputType, known: Known, path: InputPath | null, odd: unknown): unknown {
  if (path?.length === 0) return odd;
  if (isNonNullType(type)) return sampleOf(type.ofType, known, path, odd);
  if (isListType(type)) return [sampleOf(type.ofType, known, path?.slice(1) ?? null, odd)];
  if (isEnumType(type)) return type.getValues()[0]?.name;
  if (!isInputObjectType(type)) {
    const samples: Record<string, unknown> = {
      Int: 1,
      Boolean: false,
      DateTime: "2027-01-01T00:00:00Z",
      Decimal: "1",
    };
    return known[type.name]?.[0] ?? samples[type.name] ?? "a";
  }
  const fields = Object.values(type.getFields()).flatMap((field): [string, unknown][] => {
    const isMeant = path?.[0] === field.name;
    if (!isMeant && !isNonNullType(field.type)) return [];
    return [[field.name, sampleOf(field.type, known, isMeant ? path.slice(1) : null, odd)]];
  });
  return Object.fromEntries(fields);
}

/** Every argument of every field of the schema, and every field of an input, with every odd value. */
export function* everyArgument(
  schema: GraphQLSchema,
  known: Known,
): Generator<FuzzedOperation & { what: string }> {
  const roots = [
    ["query", schema.getQueryType()],
    ["mutation", schema.getMutationType()],
  ] as const;
  for (const [kind, root] of roots) {
    for (const field of Object.values(root?.getFields() ?? {})) {
      for (const meant of field.args) {
        for (const path of pathsOf(meant.type)) {
          for (const odd of ODD_VALUES) {
            const given = field.args.filter((arg) => arg === meant || isNonNullType(arg.type));
            const variables = Object.fromEntries(
              given.map((arg) => [arg.name, sampleOf(arg.type, known, arg === meant ? path : null, odd)]),
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

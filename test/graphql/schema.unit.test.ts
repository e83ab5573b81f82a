import { readFile } from "node:fs/promises";
import {
  type GraphQLObjectType,
  getNamedType,
  isAbstractType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isLeafType,
  isObjectType,
  isRequiredArgument,
  isUnionType,
  parse,
  validate,
} from "graphql";
import { expect, test } from "vitest";
import { printedSchema, schema } from "../../src/graphql/schema.js";

test("schema.graphql is what the code builds (npm run schema writes it)", async () => {
  const file = await readFile(new URL("../../schema.graphql", import.meta.url), "utf8");
  expect(file).toBe(printedSchema());
});

test("everything is described for the reader in GraphiQL", () => {
  const undescribed: string[] = [];
  const look = (name: string, { description }: { readonly description?: string | null | undefined }) => {
    if (!description) undescribed.push(name);
  };
  for (const type of Object.values(schema.getTypeMap())) {
    if (
      type.name.startsWith("__") ||
      ["String", "Int", "Boolean", "ID", "Query", "Mutation"].includes(type.name)
    )
      continue;
    // A result's union is described at its field.
    if (!type.name.endsWith("Result")) look(type.name, type);
    if (isEnumType(type)) for (const value of type.getValues()) look(`${type.name}.${value.name}`, value);
    if (!isObjectType(type) && !isInterfaceType(type) && !isInputObjectType(type)) continue;
    for (const field of Object.values(type.getFields())) {
      look(`${type.name}.${field.name}`, field);
      if ("args" in field) for (const arg of field.args) look(`${type.name}.${field.name}(${arg.name})`, arg);
    }
  }
  for (const type of [schema.getQueryType(), schema.getMutationType()]) {
    for (const field of Object.values(type?.getFields() ?? {})) {
      look(`${type?.name}.${field.name}`, field);
      for (const arg of field.args) look(`${type?.name}.${field.name}(${arg.name})`, arg);
    }
  }
  expect(undescribed).toEqual([]);
});

/** Every union, and every interface but Node, whose implementations have nothing in common but an id. */
const wholes = Object.values(schema.getTypeMap()).filter(
  (type) => isAbstractType(type) && type.name !== "Node" && !type.name.startsWith("__"),
);

/** All fields of a type that need no arguments, with those beneath them to some depth. */
function everyFieldOf(type: GraphQLObjectType, depth: number): string {
  const fields = Object.values(type.getFields()).flatMap((field) => {
    if (field.args.some(isRequiredArgument)) return [];
    const of = getNamedType(field.type);
    if (isLeafType(of)) return [field.name];
    if (!isObjectType(of) || depth === 0) return [`${field.name} { __typename }`];
    return [`${field.name} { ${everyFieldOf(of, depth - 1)} }`];
  });
  return ["__typename", ...fields].join(" ");
}

test("there are unions and interfaces to look at, UserError among them", () => {
  const names = wholes.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(["UserError", "CreateInviteLinkResult"]));
  const isResult = (type: { readonly name: string }) => type.name.endsWith("Result");
  expect(wholes.filter(isUnionType).filter(isResult)).toHaveLength(
    Object.keys(schema.getMutationType()?.getFields() ?? {}).length,
  );
});

test.each(wholes.map((type) => [type.name, type] as const))(
  "all members of %s have the same type wherever they have a field of the same name",
  (_name, type) => {
    // GraphQL takes no document that asks for a field of two types under one name, nullability included.
    const known = new Map<string, string>();
    const differing: string[] = [];
    for (const member of isAbstractType(type) ? schema.getPossibleTypes(type) : []) {
      for (const field of Object.values(member.getFields())) {
        const args = field.args.map((arg) => `${arg.name}: ${arg.type}`).sort();
        const form = `${field.name}(${args.join(", ")}): ${field.type}`;
        const other = known.get(field.name) ?? form;
        if (other !== form) differing.push(`${member.name}.${form} is elsewhere ${other}`);
        known.set(field.name, other);
      }
    }
    expect(differing).toEqual([]);
  },
);

test.each(
  Object.values(schema.getMutationType()?.getFields() ?? {}).map((field) => [field.name, field] as const),
)("one document asks for every field of every member of the result of %s", (name, field) => {
  const type = getNamedType(field.type);
  if (!isAbstractType(type)) throw new TypeError(`${name} gives no union.`);
  const args = field.args.map((arg) => `$${arg.name}: ${arg.type}`).join(", ");
  const given = field.args.map((arg) => `${arg.name}: $${arg.name}`).join(", ");
  const members = schema
    .getPossibleTypes(type)
    .map((member) => `... on ${member.name} { ${everyFieldOf(member, 2)} }`);
  const document = parse(`mutation (${args}) { ${name}(${given}) { ${members.join(" ")} } }`);
  expect(validate(schema, document).map(({ message }) => message)).toEqual([]);
});

test("one document asks for every field of every error", () => {
  const members = schema
    .getPossibleTypes(schema.getType("UserError") as never)
    .map((member) => `... on ${member.name} { ${everyFieldOf(member, 2)} }`);
  const document = parse(`
    mutation ($input: CreateInviteLinkInput!) { createInviteLink(input: $input) { ... on UserError { ...all } } }
    fragment all on UserError { ${members.join(" ")} }
  `);
  expect(validate(schema, document).map(({ message }) => message)).toEqual([]);
});

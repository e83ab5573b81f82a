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

test("schema.graphql equals the schema that the code builds (npm run schema writes the file)", async () => {
  const file = await readFile(new URL("../../schema.graphql", import.meta.url), "utf8");
  expect(file).toBe(printedSchema());
});

test("every type, field, argument and enum value of the schema has a description", () => {
  const undescribed: string[] = [];
  const checkDescription = (
    name: string,
    { description }: { readonly description?: string | null | undefined },
  ) => {
    if (!description) undescribed.push(name);
  };
  for (const type of Object.values(schema.getTypeMap())) {
    if (
      type.name.startsWith("__") ||
      ["String", "Int", "Boolean", "ID", "Query", "Mutation"].includes(type.name)
    )
      continue;
    // The field that returns a result union describes the union.
    if (!type.name.endsWith("Result")) checkDescription(type.name, type);
    if (isEnumType(type))
      for (const value of type.getValues()) checkDescription(`${type.name}.${value.name}`, value);
    if (!isObjectType(type) && !isInterfaceType(type) && !isInputObjectType(type)) continue;
    for (const field of Object.values(type.getFields())) {
      checkDescription(`${type.name}.${field.name}`, field);
      if ("args" in field)
        for (const arg of field.args) checkDescription(`${type.name}.${field.name}(${arg.name})`, arg);
    }
  }
  for (const type of [schema.getQueryType(), schema.getMutationType()]) {
    for (const field of Object.values(type?.getFields() ?? {})) {
      checkDescription(`${type?.name}.${field.name}`, field);
      for (const arg of field.args) checkDescription(`${type?.name}.${field.name}(${arg.name})`, arg);
    }
  }
  expect(undescribed).toEqual([]);
});

/** Every union and every interface except Node, whose implementations share only an id. */
const abstractTypes = Object.values(schema.getTypeMap()).filter(
  (type) => isAbstractType(type) && type.name !== "Node" && !type.name.startsWith("__"),
);

/** A selection of all fields of a type that require no arguments, down to the given depth. */
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

test("the checked types include UserError and the result union of every mutation", () => {
  const names = abstractTypes.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(["UserError", "CreateInviteLinkResult"]));
  const isResult = (type: { readonly name: string }) => type.name.endsWith("Result");
  expect(abstractTypes.filter(isUnionType).filter(isResult)).toHaveLength(
    Object.keys(schema.getMutationType()?.getFields() ?? {}).length,
  );
});

test.each(abstractTypes.map((type) => [type.name, type] as const))(
  "all members of %s have the same type wherever they have a field of the same name",
  (_name, type) => {
    // GraphQL refuses a document that selects fields of different types, or different nullability, under one name.
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
)("one document can select every field of every member of the result of %s", (name, field) => {
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

test("one document can select every field of every user error", () => {
  const members = schema
    .getPossibleTypes(schema.getType("UserError") as never)
    .map((member) => `... on ${member.name} { ${everyFieldOf(member, 2)} }`);
  const document = parse(`
    mutation ($input: CreateInviteLinkInput!) { createInviteLink(input: $input) { ... on UserError { ...all } } }
    fragment all on UserError { ${members.join(" ")} }
  `);
  expect(validate(schema, document).map(({ message }) => message)).toEqual([]);
});

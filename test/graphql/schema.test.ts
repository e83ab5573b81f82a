import { readFile } from "node:fs/promises";
import { isEnumType, isInputObjectType, isInterfaceType, isObjectType } from "graphql";
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

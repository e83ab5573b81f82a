// Generates dashboard/src/gql, the types of the dashboard's GraphQL documents, from schema.graphql and the documents in the
// dashboard's sources. Does what graphql-codegen's command line does with `preset: "client"`; the command line needs hundreds
// of packages.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { preset } from "@graphql-codegen/client-preset";
import { codegen } from "@graphql-codegen/core";
import { gqlPluckFromCodeStringSync } from "@graphql-tools/graphql-tag-pluck";
import { buildASTSchema, isAbstractType, parse } from "graphql";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const SOURCES = join(ROOT, "dashboard/src");
const OUTPUT = join(SOURCES, "gql");

/** The TypeScript type of each scalar. Generating fails if one is missing. */
const SCALARS = {
  DateTime: "string",
  Decimal: "string",
  JSON: "object",
  TelegramID: "number",
  URL: "string",
};

/** The documents in the calls of `graphql(…)` in a source file. */
function documentsIn(/** @type {string} */ location) {
  const plucked = gqlPluckFromCodeStringSync(location, readFileSync(location, "utf8"), {
    globalGqlIdentifierName: ["graphql"],
    // The generated types look a document up by its exact text.
    skipIndent: true,
  });
  return plucked.map(({ body }) => ({ location, rawSDL: body, document: parse(body) }));
}

/** The code of possibleTypes, by which Apollo's cache matches fragments on interfaces and unions. */
function possibleTypes(/** @type {import("graphql").GraphQLSchema} */ schema) {
  const abstract = Object.values(schema.getTypeMap()).filter(isAbstractType);
  const members = abstract.map((type) => [type.name, schema.getPossibleTypes(type).map(({ name }) => name)]);
  return `export const possibleTypes = ${JSON.stringify(Object.fromEntries(members), null, 2)};\n`;
}

/** Writes a file only if its text has changed, since the development server reloads every file that is written. */
function writeChanged(/** @type {string} */ file, /** @type {string} */ text) {
  if (!existsSync(file) || readFileSync(file, "utf8") !== text) writeFileSync(file, text);
}

/** @throws {Error} that names an invalid document */
async function generateDocuments() {
  const schema = parse(readFileSync(join(ROOT, "schema.graphql"), "utf8"));
  const schemaAst = buildASTSchema(schema);
  const sources = readdirSync(SOURCES).filter((name) => /[.]tsx?$/.test(name));
  const outputs = await preset.buildGeneratesSection({
    schema,
    schemaAst,
    documents: sources.sort().flatMap((name) => documentsIn(join(SOURCES, name))),
    baseOutputDir: `${OUTPUT}/`,
    presetConfig: { fragmentMasking: { unmaskFunctionName: "read" } },
    config: {
      scalars: SCALARS,
      strictScalars: true,
      enumType: "const",
      useTypeImports: true,
      importExtension: ".js",
    },
    plugins: [],
    pluginMap: {},
  });
  mkdirSync(OUTPUT, { recursive: true });
  for (const output of outputs) {
    const text = await codegen(output);
    writeChanged(output.filename, text);
  }
  writeChanged(join(OUTPUT, "possibleTypes.ts"), possibleTypes(schemaAst));
}

try {
  await generateDocuments();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

// Generates dashboard/src/api/gql, the types of the dashboard's GraphQL documents, from schema.graphql and the documents in the
// dashboard's sources, and the documents themselves, which the build puts in the place of their texts. Does what graphql-codegen's command line does with `preset: "client"`; the command line needs hundreds
// of packages.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { preset } from "@graphql-codegen/client-preset";
import { codegen } from "@graphql-codegen/core";
import { gqlPluckFromCodeStringSync } from "@graphql-tools/graphql-tag-pluck";
import { buildASTSchema, isAbstractType, Kind, parse, visit } from "graphql";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const SOURCES = join(ROOT, "dashboard/src");
const OUTPUT = join(SOURCES, "api/gql");

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
  return plucked.map(({ body }) => ({
    location,
    rawSDL: body,
    document: parse(body, { noLocation: true }),
  }));
}

/**
 * The parsed documents by their texts, each with the fragments that it needs.
 * @param {ReturnType<typeof documentsIn>} documents
 */
function parsedDocuments(documents) {
  const definitions = documents.flatMap(({ document }) => document.definitions);
  const fragments = new Map(
    definitions.flatMap((one) => (one.kind === Kind.FRAGMENT_DEFINITION ? [[one.name.value, one]] : [])),
  );
  const complete = (/** @type {import("graphql").DocumentNode} */ document) => {
    const all = new Set(document.definitions);
    // A set also visits what is added while it is walked.
    for (const definition of all) {
      visit(definition, {
        FragmentSpread({ name }) {
          const fragment = fragments.get(name.value);
          if (fragment) all.add(fragment);
        },
      });
    }
    return { kind: Kind.DOCUMENT, definitions: [...all] };
  };
  return Object.fromEntries(documents.map(({ rawSDL, document }) => [rawSDL, complete(document)]));
}

/**
 * The code of possibleTypes, by which Apollo's cache matches fragments on interfaces and unions. Only those that a fragment
 * is on are needed: all together are two thirds of a kB, compressed.
 * @param {import("graphql").GraphQLSchema} schema
 * @param {ReturnType<typeof documentsIn>} documents
 */
function possibleTypes(schema, documents) {
  const conditions = new Set();
  for (const { document } of documents) {
    visit(document, {
      FragmentDefinition: ({ typeCondition }) => void conditions.add(typeCondition.name.value),
      InlineFragment: ({ typeCondition }) => void conditions.add(typeCondition?.name.value),
    });
  }
  const abstract = Object.values(schema.getTypeMap())
    .filter(isAbstractType)
    .filter(({ name }) => conditions.has(name));
  const members = abstract.map((type) => [type.name, schema.getPossibleTypes(type).map(({ name }) => name)]);
  return `export const possibleTypes = ${JSON.stringify(Object.fromEntries(members), null, 2)};\n`;
}

/** Writes a file only if its text has changed, since the development server reloads every file that is written. */
function writeChanged(/** @type {string} */ file, /** @type {string} */ text) {
  if (!existsSync(file) || readFileSync(file, "utf8") !== text) writeFileSync(file, text);
}

/**
 * The code generator empties all copies of a document but one.
 * @param {ReturnType<typeof documentsIn>} documents
 */
function refuseCopies(documents) {
  const places = new Map();
  for (const { rawSDL, location } of documents) {
    const other = places.get(rawSDL);
    if (other) throw new Error(`${location} repeats a document of ${other}: ${rawSDL.trim().split("\n")[0]}`);
    places.set(rawSDL, location);
  }
}

/** @throws {Error} that names an invalid document */
async function generateDocuments() {
  const schema = parse(readFileSync(join(ROOT, "schema.graphql"), "utf8"));
  const schemaAst = buildASTSchema(schema);
  const sources = readdirSync(SOURCES, { recursive: true, encoding: "utf8" }).filter(
    (name) => /[.]tsx?$/.test(name) && !join(SOURCES, name).startsWith(OUTPUT),
  );
  const documents = sources.sort().flatMap((name) => documentsIn(join(SOURCES, name)));
  refuseCopies(documents);
  const outputs = await preset.buildGeneratesSection({
    schema,
    schemaAst,
    documents,
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
  writeChanged(join(OUTPUT, "possibleTypes.ts"), possibleTypes(schemaAst, documents));
  // A document's empty lists of arguments and directives may be left out.
  const withoutEmpty = (/** @type {string} */ _key, /** @type {unknown} */ value) =>
    Array.isArray(value) && value.length === 0 ? undefined : value;
  writeChanged(join(OUTPUT, "documents.json"), JSON.stringify(parsedDocuments(documents), withoutEmpty));
}

try {
  await generateDocuments();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

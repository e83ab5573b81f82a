import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import react from "@vitejs/plugin-react";
import { defaultClientConditions, defineConfig } from "vite";

const GENERATE = fileURLToPath(new URL("../tools/documents.mjs", import.meta.url));
const DOCUMENTS = new URL("src/api/gql/documents.json", import.meta.url);

/** Runs in its own process: Vite would load another build of graphql than codegen, and graphql allows only one. */
const generateDocuments = async () => {
  await promisify(execFile)(process.execPath, [GENERATE]);
};

/** The operations as texts, as Apollo Client sends them. A server that runs trusted documents alone reads them. */
async function sentTexts() {
  const { InMemoryCache } = await import("@apollo/client");
  const { print } = await import("graphql");
  const cache = new InMemoryCache();
  const parsed = Object.values(JSON.parse(await readFile(DOCUMENTS, "utf8")));
  const operations = parsed.filter(({ definitions: [first] }) => first.kind === "OperationDefinition");
  return operations.map((document) => print(cache.transformDocument(document)));
}

/**
 * Generates the types of the GraphQL documents before they are imported, and again after each edit. In the place of each
 * `graphql(…)` stands the parsed document, so that every page has only its own documents, and no page needs a parser.
 * @type {import("vite").Plugin}
 */
const documents = {
  name: "documents",
  enforce: "pre",
  buildStart: generateDocuments,
  async transform(code, id) {
    if (!/[.]tsx?$/.test(id) || id.includes("/gql/") || !code.includes("graphql(`")) return null;
    const parsed = JSON.parse(await readFile(DOCUMENTS, "utf8"));
    return code.replace(/\bgraphql\(`([^`]*)`\)/g, (_call, text) => {
      if (!(text in parsed)) throw new Error(`${id} has a document that was not generated.`);
      return `(${JSON.stringify(parsed[text])} as any)`;
    });
  },
  async hotUpdate({ file }) {
    if (/[.]tsx?$/.test(file) && !file.includes("/gql/")) await generateDocuments();
  },
  async generateBundle() {
    this.emitFile({ type: "asset", fileName: "documents.json", source: JSON.stringify(await sentTexts()) });
  },
};

/** The groups of texts that the first page shows before anything is opened there. */
const FIRST_TEXTS = [
  "common",
  "shell",
  "pages",
  "role",
  "lonely",
  "toast",
  "bot",
  "uncertain",
  "state",
  "period",
  "columns",
  "facts",
  "links",
  "chart",
];

/**
 * Divides a language's file into the texts of the first page (`?first`) and all others (`?later`), which are loaded when
 * one of them is shown.
 * @type {import("vite").Plugin}
 */
const texts = {
  name: "texts",
  enforce: "pre",
  async load(id) {
    const [, file, part] = /^(.*[\\/]i18n[\\/]\w+[.]json)[?](first|later)$/.exec(id) ?? [];
    if (file === undefined) return null;
    this.addWatchFile(file);
    const groups = Object.entries(JSON.parse(await readFile(file, "utf8")));
    const isFirst = part === "first";
    const chosen = groups.filter(([name]) => FIRST_TEXTS.includes(name) === isFirst);
    return `export default ${JSON.stringify(Object.fromEntries(chosen))}`;
  },
};

const ENTRY = fileURLToPath(new URL("src/main.tsx", import.meta.url));
const FIRST_PAGE = fileURLToPath(new URL("src/pages/links/LinksPage.tsx", import.meta.url));

/**
 * A module with all that it imports at once.
 * @param {string} root
 * @param {import("vite").Rolldown.ChunkingContext} context
 */
function withImports(root, context) {
  const modules = new Set([root]);
  // A set also visits what is added while it is walked.
  for (const id of modules) {
    for (const imported of context.getModuleInfo(id)?.importedIds ?? []) modules.add(imported);
  }
  return modules;
}

/**
 * The file for a module that the first page needs at once; null leaves the others to the bundler. Without these files the
 * first page would load one for each module that it shares with a dialog or another page.
 * @type {(id: string, context: import("vite").Rolldown.ChunkingContext) => string | null}
 */
function fileOf(id, context) {
  const isInEntry = withImports(ENTRY, context).has(id);
  if (!isInEntry && !withImports(FIRST_PAGE, context).has(id)) return null;
  return isInEntry ? "common" : "links";
}

export default defineConfig({
  plugins: [documents, texts, react()],
  // Of rxjs the form with classes, which is smaller than the one for old browsers.
  resolve: {
    conditions: ["es2015", ...defaultClientConditions],
    // A stand-in for what React has had since 18, which wouter still asks for.
    alias: [{ find: /^use-sync-external-store[/]shim([/]index[.]js)?$/, replacement: "react" }],
  },
  build: {
    outDir: "../dist/dashboard",
    emptyOutDir: true,
    // The page's Content-Security-Policy requires all assets to be files.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // `npm start` prints its steps, not their timings.
    rolldownOptions: {
      checks: { pluginTimings: false },
      output: {
        codeSplitting: {
          groups: [
            { name: (id, context) => fileOf(id, context) && "libraries", test: /[\\/]node_modules[\\/]/ },
            { name: fileOf },
          ],
        },
      },
    },
  },
  // `npm run dashboard`, beside a server that was started by `npm start`.
  server: {
    proxy: Object.fromEntries(
      ["/graphql", "/export", "/import"].map((path) => [path, "http://127.0.0.1:4000"]),
    ),
  },
});

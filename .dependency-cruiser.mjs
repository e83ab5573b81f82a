// The import rules of the project, for dependency-cruiser: cli → main → app → http, background → graphql → domain →
// telegram, database. A type-only import counts as an import: a layer that uses another's types depends on it.

// TypeScript 7 has no JavaScript API, so swc parses the sources. Without swc, dependency-cruiser would skip every .ts file
// and find no violation. This import fails instead.
import "@swc/core";

/** All sources may import these: the log, the configuration's type, the reader of environment variables, the parser of database addresses, the fast paths' switches, the documents of a command, the version, the types of tracing, and parsers/. */
const SHARED =
  "^src/((log|config|environment|databaseAddress|fastPaths|batchDocuments|terminalText|version)[.]ts$|tracing/(config|tracing)[.]ts$|parsers/)";

/**
 * @param {string} name
 * @param {string} comment
 * @param {string} from the sources that the rule is for, as a pattern of paths
 * @param {string} allowed the sources that they may import, as a pattern of paths
 */
const mayOnlyImport = (name, comment, from, allowed) => ({
  name,
  comment,
  severity: "error",
  from: { path: from },
  to: { path: "^src/", pathNot: [allowed, SHARED] },
});

export default {
  forbidden: [
    mayOnlyImport(
      "shared-is-a-leaf",
      "All sources may import these, so they must not import the rest.",
      SHARED,
      SHARED,
    ),
    mayOnlyImport(
      "telegram-knows-telegram",
      "telegram/ returns its own failures. The domain turns them into user errors. An Instant is only a text.",
      "^src/telegram/",
      "^src/telegram/|^src/database/instant[.]ts$",
    ),
    mayOnlyImport(
      "database-knows-database",
      "database/ is the lowest layer and must not depend on the domain.",
      "^src/database/",
      "^src/database/",
    ),
    mayOnlyImport(
      "domain-points-down",
      "The domain must not depend on GraphQL, HTTP or the start of the server.",
      "^src/domain/",
      "^src/(domain|telegram|database)/",
    ),
    {
      name: "domain-without-faces",
      comment:
        "GraphQL and REST translate between clients and the domain. The domain must not use their libraries.",
      severity: "error",
      from: { path: "^src/(domain|telegram|database)/" },
      to: { path: "^node_modules/(graphql|graphql-[^/]+|fastify|@(pothos|fastify|graphql-[^/]+)/[^/]+)/" },
    },
    mayOnlyImport(
      "graphql-points-down",
      "GraphQL must not depend on the endpoint that received a request.",
      "^src/graphql/",
      "^src/(graphql|domain|telegram|database)/",
    ),
    mayOnlyImport(
      "endpoints-point-down",
      "Only main.ts starts the server, and only app.ts connects its parts.",
      "^src/(http|background)/",
      "^src/(http|background|graphql|import-export|domain|telegram|database)/",
    ),
    mayOnlyImport(
      "cli-points-down",
      "A command calls the domain directly. It may start the whole server, but not use its parts.",
      "^src/cli/",
      "^src/(cli|import-export|domain|telegram|database)/|^src/main[.]ts$",
    ),
    mayOnlyImport(
      "import-export-knows-links-alone",
      "import-export/ converts between files or APIs and the domain's transfer records. It must not depend on a database or a terminal.",
      "^src/import-export/",
      "^src/(import-export|domain/transfer)/",
    ),
    {
      name: "light-without-a-server",
      comment:
        "The package's public interface and the command telegram must start quickly, so they load neither the server, nor a database, nor their libraries.",
      severity: "error",
      from: { path: "^src/(index|cli/telegram)[.]ts$" },
      to: {
        path: "^(node_modules/(?!commander/)|src/(?!(index|terminalText)[.]ts$|cli/(telegram|errors|output)[.]ts$|telegram/|parsers/))",
        reachable: true,
      },
    },
    mayOnlyImport(
      "metrics-point-down",
      "Metrics count the events of other parts. The other parts must not depend on metrics.",
      "^src/metrics/",
      "^src/(metrics|http|background|graphql|domain|telegram|database)/",
    ),
    {
      name: "open-telemetry-from-app-only",
      comment: "OpenTelemetry is loaded only if its variables are set. Only app.ts does so.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(tracing/|app[.]ts$)" },
      to: { path: "^src/tracing/(openTelemetry|collector)[.]ts$|^node_modules/@opentelemetry/" },
    },
    {
      name: "app-below-main",
      comment: "The process begins in main.ts. Only the command serve may import it.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(cli/serve|main)[.]ts$" },
      to: { path: "^src/(main|process)[.]ts$" },
    },
    {
      name: "sandbox-stands-alone",
      comment: "The sandbox is a Bot API server of its own. The server calls it over HTTP.",
      severity: "error",
      from: { path: "^src/sandbox/" },
      to: { path: "^src/", pathNot: "^src/sandbox/" },
    },
    {
      name: "sandbox-from-app-only",
      comment:
        "The server must behave the same with the sandbox and with Telegram. Only app.ts starts the sandbox, with the people and links of sample*.ts.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(sandbox/|(app|sample[A-Za-z]*)[.]ts$)" },
      to: { path: "^src/sandbox/" },
    },
    {
      name: "no-dashboard-in-sources",
      comment:
        "The server serves the dashboard's built files and must not import its code. The linter checks the dashboard's own imports, because swc does not parse JSX here.",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^dashboard/" },
    },
    {
      name: "no-tests-in-sources",
      comment: "The code for production must not need tests, benchmarks or tools.",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^(test|bench|tools)/" },
    },
    {
      name: "no-cycles",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "no-way-back-up",
      comment:
        "The files that connect the parts of a layer are in the layer's own folder, and no part may import them. The next rule does not see a cycle between a folder and its subfolder.",
      severity: "error",
      from: { path: "^src/(?:(domain|http)/[^/]+|(graphql)/(?:builder|nodes|mutations|executor))/" },
      to: { path: "^src/($1|$2)/[^/]+[.]ts$" },
    },
    {
      name: "no-folder-cycles",
      comment: "A folder can be understood by reading the folders that it imports first.",
      severity: "error",
      scope: "folder",
      from: { path: "^src" },
      to: { circular: true },
    },
    {
      name: "no-orphans",
      comment: "A module without imports that no module imports is dead.",
      severity: "error",
      from: { orphan: true, pathNot: ["[.]d[.]ts$", "^src/main[.]ts$"] },
      to: {},
    },
    {
      name: "no-unresolvable",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: "no-development-dependencies",
      comment: "Development dependencies are not installed in production.",
      severity: "error",
      from: { path: "^src/" },
      to: { dependencyTypes: ["npm-dev"] },
    },
    {
      name: "no-undeclared-dependencies",
      comment:
        "A package that is installed only as a dependency of another one can disappear with any update.",
      severity: "error",
      from: { path: "^(src|test)/" },
      to: { dependencyTypes: ["npm-no-pkg", "npm-unknown"] },
    },
  ],
  options: {
    parser: "swc",
    doNotFollow: { path: "^node_modules/" },
    // Generated files, and programs that are checked with types that their test generates or packs.
    exclude: {
      path: "^(src/database/generated|dashboard/src/api/gql|test/clients/(codegen|openapi)|test/cli/program)/",
    },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default", "types"],
    },
  },
};

// The import rules of the project, for dependency-cruiser: cli → main → app → http, background → graphql → domain →
// telegram, database. Type-only imports count: a layer that knows another's types knows the layer.

// TypeScript 7 has no JavaScript API, so that swc reads the sources. Without it dependency-cruiser would
// skip every .ts file and find nothing wrong; this import fails instead.
import "@swc/core";

/** Every source below may import these: the log, the type of the configuration, the reading of a database address, and the parsers of what people write. */
const SHARED = "^src/((log|config|databaseAddress|fastPaths)[.]ts$|parsers/)";

/**
 * @param {string} name
 * @param {string} comment
 * @param {string} from what this is about, as a pattern of paths
 * @param {string} allowed the sources that it may import, as a pattern of paths
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
      "What everything may import must not pull the rest in.",
      SHARED,
      SHARED,
    ),
    mayOnlyImport(
      "telegram-knows-telegram",
      "telegram/ returns its own failures; the domain turns them into the project's errors.",
      "^src/telegram/",
      "^src/telegram/",
    ),
    mayOnlyImport(
      "database-knows-database",
      "database/ is below everything that has a meaning.",
      "^src/database/",
      "^src/database/",
    ),
    mayOnlyImport(
      "domain-points-down",
      "The domain knows neither GraphQL nor HTTP nor who starts it.",
      "^src/domain/",
      "^src/(domain|telegram|database)/",
    ),
    {
      name: "domain-without-faces",
      comment: "GraphQL and REST call the domain and translate; it knows nothing of their libraries.",
      severity: "error",
      from: { path: "^src/(domain|telegram|database)/" },
      to: { path: "^node_modules/(graphql|graphql-[^/]+|fastify|@(pothos|fastify|graphql-[^/]+)/[^/]+)/" },
    },
    mayOnlyImport(
      "graphql-points-down",
      "The GraphQL face does not know through which door a request came.",
      "^src/graphql/",
      "^src/(graphql|domain|telegram|database)/",
    ),
    mayOnlyImport(
      "doors-point-down",
      "Only main.ts starts the application, and only app.ts puts it together.",
      "^src/(http|background)/",
      "^src/(http|background|graphql|domain|telegram|database)/",
    ),
    mayOnlyImport(
      "cli-points-down",
      "A command is a door without HTTP: it calls the domain, and the server only as a whole.",
      "^src/cli/",
      "^src/(cli|import-export|domain|telegram|database)/|^src/main[.]ts$",
    ),
    mayOnlyImport(
      "import-export-knows-links-alone",
      "Files and other APIs are turned into the domain's records and back, whatever database and terminal there are.",
      "^src/import-export/",
      "^src/(import-export|domain/transfer)/",
    ),
    {
      name: "light-without-a-server",
      comment:
        "What programs import from the package, and the command that asks Telegram alone, start quickly: they load neither the server, nor a database, nor a library of theirs.",
      severity: "error",
      from: { path: "^src/(index|cli/telegram)[.]ts$" },
      to: {
        path: "^(node_modules/(?!commander/)|src/(?!index[.]ts$|cli/(telegram|errors|output)[.]ts$|telegram/|parsers/))",
        reachable: true,
      },
    },
    mayOnlyImport(
      "metrics-point-down",
      "They count what the other parts tell, without being known to them.",
      "^src/metrics/",
      "^src/(metrics|http|background|graphql|domain|telegram|database)/",
    ),
    {
      name: "app-below-main",
      comment: "The process begins in main.ts; nothing imports it but the command that becomes it.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(cli/serve|main)[.]ts$" },
      to: { path: "^src/(main|process)[.]ts$" },
    },
    {
      name: "sandbox-stands-alone",
      comment: "The sandbox is a Bot API server of its own, spoken to over HTTP.",
      severity: "error",
      from: { path: "^src/sandbox/" },
      to: { path: "^src/", pathNot: "^src/sandbox/" },
    },
    {
      name: "sandbox-from-app-only",
      comment:
        "The server must not behave differently for the sandbox: app.ts starts it with sample.ts' content, nothing else knows it.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(sandbox/|(app|sample)[.]ts$)" },
      to: { path: "^src/sandbox/" },
    },
    {
      name: "no-dashboard-in-sources",
      comment:
        "The server serves its files, and knows nothing of its code. Its own imports are the lint's: swc reads no JSX here.",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^dashboard/" },
    },
    {
      name: "no-tests-in-sources",
      comment: "What runs in production must not need the tests.",
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
        "What puts a layer's parts together stands in the layer's own folder, and no part imports it. The rule below sees circles of neighbours, not one between a folder and a folder inside it.",
      severity: "error",
      from: { path: "^src/(?:(domain|http)/[^/]+|(graphql)/(?:builder|nodes|mutations|executor))/" },
      to: { path: "^src/($1|$2)/[^/]+[.]ts$" },
    },
    {
      name: "no-folder-cycles",
      comment: "A reader who has read the folders below a folder can read it.",
      severity: "error",
      scope: "folder",
      from: { path: "^src" },
      to: { circular: true },
    },
    {
      name: "no-orphans",
      comment: "A module that nothing imports and that imports nothing is dead.",
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
      comment: "They are not there in production.",
      severity: "error",
      from: { path: "^src/" },
      to: { dependencyTypes: ["npm-dev"] },
    },
    {
      name: "no-undeclared-dependencies",
      comment: "A package that only another one brings along can vanish with any update.",
      severity: "error",
      from: { path: "^(src|test)/" },
      to: { dependencyTypes: ["npm-no-pkg", "npm-unknown"] },
    },
  ],
  options: {
    parser: "swc",
    doNotFollow: { path: "^node_modules/" },
    // Generated, and what is checked with types that its test generates or packs.
    exclude: {
      path: "^(src/database/generated|dashboard/src/gql|test/clients/(codegen|openapi)|test/cli/program)/",
    },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default", "types"],
    },
  },
};

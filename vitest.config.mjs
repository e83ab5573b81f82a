import { defineConfig } from "vitest/config";

const UNIT = "test/**/*.unit.test.ts";
const PROPERTY = ["test/**/*.property.test.ts", "test/**/*.property.unit.test.ts"];

export default defineConfig({
  // graphql may be loaded only once in a process, and the packages that depend on it load its CommonJS form.
  resolve: {
    // tools/vitest.mjs runs Vitest through a link where Vite cannot read the path of this folder.
    preserveSymlinks: process.execArgv.includes("--preserve-symlinks"),
    alias: [{ find: /^graphql$/, replacement: "graphql/index.js" }],
  },
  test: {
    environment: "node",
    pool: "forks",
    // Tests wait for servers, browsers and time limits, so that two of them leave two cores idle for a third of the time.
    maxWorkers: 3,
    // Some tests start several servers, each of which takes seconds on a busy machine.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // The time limit makes only a failure late. An event takes seconds where other files keep the machine busy.
    expect: { poll: { timeout: 60_000 } },
    setupFiles: ["test/support/setup.ts"],
    // The order puts the lines about properties above the summary.
    reporters: ["./test/support/propertyReporter.ts", "default"],
    // test/README.md says what belongs to each project.
    projects: [
      {
        extends: true,
        test: { name: "unit", include: [UNIT], setupFiles: ["test/support/noServers.ts"] },
      },
      {
        extends: true,
        test: {
          name: "integration",
          include: ["test/**/*.test.ts"],
          exclude: [UNIT],
          globalSetup: "test/support/globalSetup.ts",
        },
      },
      {
        extends: true,
        test: {
          name: "plain",
          include: PROPERTY,
          globalSetup: "test/support/globalSetup.ts",
          // See src/fastPaths.ts.
          env: { FAST_PATHS_OFF: "all" },
        },
      },
    ],
  },
});

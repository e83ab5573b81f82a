import { defineConfig } from "vitest/config";

export default defineConfig({
  // The packages beneath us take graphql's CommonJS form, and there can be only one graphql in a process.
  // Through a link where the path of this folder is none that Vite can take; see tools/vitest.mjs.
  resolve: {
    preserveSymlinks: process.execArgv.includes("--preserve-symlinks"),
    alias: [{ find: /^graphql$/, replacement: "graphql/index.js" }],
  },
  test: {
    environment: "node",
    include: ["test/**/*.test.ts"],
    globalSetup: "test/support/global-setup.ts",
    pool: "forks",
    maxWorkers: 2,
    // Some start several servers one after the other, each in seconds where the machine has other work.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 10_000 } },
  },
});

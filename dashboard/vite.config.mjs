import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const GENERATE = fileURLToPath(new URL("../tools/documents.mjs", import.meta.url));

/** Runs in its own process: Vite would load another build of graphql than codegen, and graphql allows only one. */
const generateDocuments = async () => {
  await promisify(execFile)(process.execPath, [GENERATE]);
};

/**
 * Generates the types of the GraphQL documents before they are imported, and again after each edit.
 * @type {import("vite").Plugin}
 */
const documents = {
  name: "documents",
  buildStart: generateDocuments,
  async hotUpdate({ file }) {
    if (/[.]tsx?$/.test(file) && !file.includes("/gql/")) await generateDocuments();
  },
};

export default defineConfig({
  plugins: [documents, react()],
  build: {
    outDir: "../dist/dashboard",
    emptyOutDir: true,
    // The page's Content-Security-Policy requires all assets to be files.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // `npm start` prints its steps, not their timings.
    rolldownOptions: { checks: { pluginTimings: false } },
  },
  // `npm run dashboard`, beside a server that was started by `npm start`.
  server: { proxy: { "/graphql": "http://127.0.0.1:4000" } },
});

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const GENERATE = fileURLToPath(new URL("../tools/documents.mjs", import.meta.url));

/** In a process of its own: Vite would take another form of graphql than codegen does, and no two go together. */
const generateDocuments = async () => {
  await promisify(execFile)(process.execPath, [GENERATE]);
};

/**
 * The documents' types are there before they are imported, and follow what is edited.
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
    // All in files of their own, which the page's Content-Security-Policy asks for.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // `npm start` says what it does, not what took how long.
    rolldownOptions: { checks: { pluginTimings: false } },
  },
  // `npm run dashboard`, beside a server that was started by `npm start`.
  server: { proxy: { "/graphql": "http://127.0.0.1:4000" } },
});

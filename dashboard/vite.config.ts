import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";
import { generateDocuments } from "../tools/documents.mjs";

/** The documents' types are there before they are imported, and follow what is edited. */
const documents: Plugin = {
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
  },
  // `npm run dashboard`, beside a server that was started by `npm start`.
  server: { proxy: { "/graphql": "http://127.0.0.1:4000" } },
});

// Builds the dashboard into dist/dashboard, unless nothing has changed since the last build.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { withPlainPath } from "./plainPath.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const SOURCES = join(ROOT, "dashboard");
const OUTPUT = join(ROOT, "dist/dashboard");
/** Written last, so that an interrupted build does not count as one. */
const STAMP = join(ROOT, "dist/.dashboard");

/** @returns {string} a hash of everything that the build depends on */
function fingerprint() {
  const generated = join("api", "gql");
  const sources = readdirSync(SOURCES, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.endsWith(generated))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const others = ["schema.graphql", "package-lock.json", "tools/documents.mjs", "tools/dashboard.mjs"];
  const hash = createHash("sha256");
  for (const file of [...sources, ...others.map((name) => join(ROOT, name))]) {
    hash.update(file.slice(ROOT.length)).update("\0").update(readFileSync(file)).update("\0");
  }
  return `${hash.digest("hex")}\n`;
}

/** Stores each text file of the build compressed beside itself, where the server finds it. */
function compressFiles() {
  for (const name of readdirSync(OUTPUT, { recursive: true, encoding: "utf8" })) {
    if (!/[.](js|css|svg)$/.test(name)) continue;
    const file = join(OUTPUT, name);
    const content = readFileSync(file);
    writeFileSync(`${file}.br`, brotliCompressSync(content));
    writeFileSync(`${file}.gz`, gzipSync(content, { level: 9 }));
  }
}

async function build() {
  const wanted = fingerprint();
  const isBuilt = existsSync(join(OUTPUT, "index.html")) && existsSync(STAMP);
  if (isBuilt && readFileSync(STAMP, "utf8") === wanted) return;

  process.stderr.write("building the dashboard …\n");
  // One build serves every NODE_ENV of the server.
  process.env["NODE_ENV"] = "production";
  // Loaded only for a build, so that a start with an unchanged dashboard takes almost no time.
  const vite = await import("vite");
  await withPlainPath(async (root, isLink) => {
    await vite.build({
      root: join(root, "dashboard"),
      // Node.js' own import finds the file in a folder with special characters, Vite's bundler does not.
      configLoader: "native",
      configFile: join(SOURCES, "vite.config.mjs"),
      // Otherwise Vite resolves the link to the real path.
      resolve: { preserveSymlinks: isLink },
      logLevel: "warn",
    });
  });
  compressFiles();
  writeFileSync(STAMP, wanted);
}

try {
  await build();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

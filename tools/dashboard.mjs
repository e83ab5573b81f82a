// Builds the dashboard into dist/dashboard, where what it is made from has changed since the last time.

import { createHash } from "node:crypto";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const SOURCES = join(ROOT, "dashboard");
const OUTPUT = join(ROOT, "dist/dashboard");
/** Written last, so that an interrupted build does not count as one. */
const STAMP = join(ROOT, "dist/.dashboard");

/** @returns {string} what the built files depend on, as one text to compare */
function fingerprint() {
  const generated = join("src", "gql");
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

/**
 * Calls `work` with a path to this folder that Vite can take: it reads a `#` or `?` in a file's path as the end of the
 * path, and does not find the file. Where there is one, the path is a link's.
 * @param {(root: string) => Promise<void>} work
 */
async function withPlainPath(work) {
  if (!/[#?]/.test(ROOT)) return work(ROOT);
  const places = [tmpdir(), "/tmp"];
  const folder = mkdtempSync(join(places.find((place) => !/[#?]/.test(place)) ?? tmpdir(), "invite-links-"));
  const link = join(folder, "root");
  try {
    // The kind of link that needs no permission on Windows; elsewhere there is only one.
    symlinkSync(ROOT, link, "junction");
    await work(link);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function build() {
  const wanted = fingerprint();
  const isBuilt = existsSync(join(OUTPUT, "index.html")) && existsSync(STAMP);
  if (isBuilt && readFileSync(STAMP, "utf8") === wanted) return;

  process.stderr.write("building the dashboard …\n");
  // Whatever the server is started as: the browser's part is built once, for all.
  process.env["NODE_ENV"] = "production";
  // Loaded only here: an unchanged dashboard costs a start next to nothing.
  const vite = await import("vite");
  await withPlainPath(async (root) => {
    await vite.build({
      root: join(root, "dashboard"),
      // Node.js' own import, unlike Vite's bundler, takes the file wherever it is.
      configLoader: "native",
      configFile: join(SOURCES, "vite.config.mjs"),
      // Otherwise Vite follows the link back.
      resolve: { preserveSymlinks: root !== ROOT },
      logLevel: "warn",
    });
  });
  writeFileSync(STAMP, wanted);
}

try {
  await build();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

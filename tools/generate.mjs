// Generates the Prisma client and Pothos' types into src/database/generated, unless schema.prisma, this file and the versions
// of the generators are unchanged.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const OUTPUT = join(ROOT, "src/database/generated");
/** Written last, so that an interrupted generation does not count as one. */
const STAMP = join(OUTPUT, "stamp");
const GENERATED = [STAMP, join(OUTPUT, "pothos.ts"), join(OUTPUT, "prisma/client.ts")];
const GENERATORS = ["prisma", "@prisma/client", "@pothos/plugin-prisma"];

/**
 * The folder of an installed package, or undefined. `require.resolve` does not help, since the `exports` of a package can
 * hide its package.json.
 * @param {string} name
 * @returns {string | undefined}
 */
function packageFolder(name) {
  const folders = createRequire(import.meta.url).resolve.paths(name) ?? [];
  return folders
    .map((folder) => join(folder, name))
    .find((folder) => existsSync(join(folder, "package.json")));
}

/**
 * The path of the script behind a command of an installed package.
 * @param {string} name of the package
 * @param {string} command
 * @returns {string}
 * @throws {Error} if the package is not installed
 */
export function commandOf(name, command) {
  const folder = packageFolder(name);
  if (folder === undefined) {
    throw new Error(
      `${name} is not installed. Run "npm ci --include=dev": NODE_ENV=production and --omit=dev leave out what a build needs.`,
    );
  }
  const { bin } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return join(folder, typeof bin === "string" ? bin : bin[command]);
}

/** @returns {string} a hash of everything that the generated code depends on */
function fingerprint() {
  const hash = createHash("sha256");
  for (const file of [join(ROOT, "prisma/schema.prisma"), fileURLToPath(import.meta.url)]) {
    hash.update(readFileSync(file));
  }
  for (const name of GENERATORS) {
    const folder = packageFolder(name);
    hash.update(folder === undefined ? name : readFileSync(join(folder, "package.json")));
  }
  return `${hash.digest("hex")}\n`;
}

/**
 * @param {(step: string) => void} [announce] called before work that takes seconds
 * @throws {Error} with the output of Prisma's command line
 */
export function generate(announce = () => {}) {
  const wanted = fingerprint();
  if (GENERATED.every((file) => existsSync(file)) && readFileSync(STAMP, "utf8") === wanted) return;

  announce("generating the database client");
  const script = commandOf("prisma", "prisma");
  rmSync(OUTPUT, { recursive: true, force: true });
  const result = spawnSync(process.execPath, [script, "generate"], {
    cwd: ROOT,
    encoding: "utf8",
    env: {
      ...process.env,
      // Prisma looks for Pothos' generator on the PATH. npm adds this folder to the PATH of its scripts, a plain
      // `node tools/generate.mjs` does not.
      PATH: [join(dirname(dirname(script)), "../.bin"), process.env["PATH"]].join(delimiter),
      // Generating needs no schema engine, but Prisma downloads one unless this names an existing file. Any file will do.
      PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
      CHECKPOINT_DISABLE: "1",
      PRISMA_HIDE_UPDATE_MESSAGE: "1",
    },
  });
  if (result.status !== 0) {
    throw new Error(
      ["prisma generate failed:", result.stdout, result.stderr, result.error?.message]
        .filter(Boolean)
        .join("\n"),
    );
  }
  writeFileSync(STAMP, wanted);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  try {
    generate(console.error);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}

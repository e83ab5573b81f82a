// Runs Vitest with the given arguments, also in a folder whose path has characters that Vite does not support.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { commandOf } from "./generate.mjs";
import { withPlainPath } from "./plainPath.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

process.exitCode = await withPlainPath(async (root, isLink) => {
  const script = join(root, relative(ROOT, commandOf("vitest", "vitest")));
  // Neither Node.js nor Vite may resolve the link to the real path.
  const flags = isLink ? ["--preserve-symlinks", "--preserve-symlinks-main"] : [];
  const options = ["--root", root, "--configLoader", "native"];
  // Vitest's worker processes get the flags from the environment.
  const env = isLink
    ? { ...process.env, NODE_OPTIONS: [process.env["NODE_OPTIONS"], ...flags].join(" ").trim() }
    : process.env;
  const args = [...flags, script, ...process.argv.slice(2), ...options];
  const child = spawn(process.execPath, args, { stdio: "inherit", env });
  // Vitest ends on a signal, and the link is removed after that.
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) {
    process.on(signal, () => child.kill(signal));
  }
  const [code] = await once(child, "close");
  return typeof code === "number" ? code : 1;
});

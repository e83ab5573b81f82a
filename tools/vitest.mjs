// Runs Vitest with the arguments given, in a folder with any path.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { commandOf } from "./generate.mjs";
import { withPlainPath } from "./plainPath.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

process.exitCode = await withPlainPath(async (root, isLink) => {
  const script = commandOf("vitest", "vitest").replace(ROOT, root);
  // Neither Node.js nor Vite may follow the link back.
  const flags = isLink ? ["--preserve-symlinks", "--preserve-symlinks-main"] : [];
  const options = ["--root", root, "--configLoader", "native"];
  // In the environment for the processes in which Vitest runs the tests.
  const env = isLink
    ? { ...process.env, NODE_OPTIONS: [process.env["NODE_OPTIONS"], ...flags].join(" ").trim() }
    : process.env;
  const args = [...flags, script, ...process.argv.slice(2), ...options];
  const child = spawn(process.execPath, args, { stdio: "inherit", env });
  // The runner ends by itself when it is asked to, and the link is removed after it.
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) {
    process.on(signal, () => child.kill(signal));
  }
  const [code] = await once(child, "close");
  return typeof code === "number" ? code : 1;
});

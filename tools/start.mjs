// `npm start`: builds what has changed, then becomes the server.
//
// npm passes SIGTERM and SIGINT on to the shell that runs the script, which would end without its child. Hence
// the `exec` in package.json, which puts this process in the shell's place (Windows knows no such word and no
// such signals, and takes the other half of the line), and hence the import below instead of a child process.
//
// What is said here goes to stderr: stdout is the server's, which may be JSON lines.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { commandOf, generate } from "./generate.mjs";

const ROOT = new URL("..", import.meta.url);

/** @param {string} step */
const announce = (step) => process.stderr.write(`${step} …\n`);

/** Runs one of the build's programs; it says on stderr what it has to say. */
async function run(/** @type {string[]} */ ...program) {
  const child = spawn(process.execPath, program, { cwd: ROOT, stdio: ["ignore", 2, 2] });
  const [status, signal] = await once(child, "close");
  // Ctrl-C reaches the program as well, which ends by it.
  if (signal !== null) process.kill(process.pid, signal);
  return status === 0;
}

async function build() {
  generate(announce);
  announce("compiling");
  const compiled = await Promise.all([
    run(commandOf("typescript", "tsc"), "-p", "tsconfig.build.json"),
    run("tools/dashboard.mjs"),
  ]);
  if (compiled.includes(false)) throw new Error("The sources do not compile; see above.");
}

try {
  await build();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}
announce("starting");
// So that the server sees what `node dist/main.js` would show it.
const main = new URL("dist/main.js", ROOT);
process.argv[1] = fileURLToPath(main);
await import(main.href);

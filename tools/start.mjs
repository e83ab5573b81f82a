// `npm start`: checks the port, builds what has changed, then becomes the server.
//
// npm sends SIGTERM and SIGINT to the shell that runs the script, and the shell would end without its child. Therefore
// package.json uses `exec`, which replaces the shell by this process, and this process imports the server instead of starting
// a child. Windows has neither `exec` nor these signals, and runs the second half of the script.
//
// Messages go to stderr, since stdout belongs to the server and may be JSON lines.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { commandOf, generate } from "./generate.mjs";

const ROOT = new URL("..", import.meta.url);

/** @param {string} step */
const announce = (step) => process.stderr.write(`${step} …\n`);

/** Runs a program of the build with its output on stderr. Resolves to whether it succeeded. */
async function run(/** @type {string[]} */ ...program) {
  const child = spawn(process.execPath, program, { cwd: ROOT, stdio: ["ignore", 2, 2] });
  const [status, signal] = await once(child, "close");
  // Ctrl-C also ended the program, so it ends this process, too.
  if (signal !== null) process.kill(process.pid, signal);
  return status === 0;
}

/**
 * Refuses a port that another program uses, since the build would be in vain. All other mistakes in the environment are
 * left to the server.
 */
async function checkPort() {
  const { PORT: port = "4000", HOST: host = "127.0.0.1" } = process.env;
  const probe = createServer();
  try {
    await once(probe.listen(Number(port), host), "listening");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EADDRINUSE")
      throw new Error(
        `Port ${port} is already in use. Set PORT to another one, or to 0 to pick a free port.`,
      );
  } finally {
    probe.close();
  }
}

async function build() {
  generate(announce);
  announce("compiling");
  const compiled = await Promise.all([
    run(commandOf("typescript", "tsc"), "-p", "tsconfig.build.json"),
    run("tools/dashboard.mjs"),
  ]);
  if (compiled.includes(false)) throw new Error("The sources do not compile. The errors are above.");
}

try {
  await checkPort();
  await build();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}
announce("starting");
// The server must see the same arguments as with `node dist/main.js`.
const main = new URL("dist/main.js", ROOT);
process.argv[1] = fileURLToPath(main);
await import(main.href);

// `npm start`: builds what has changed, then becomes the server.
//
// npm passes SIGTERM and SIGINT on to the shell that runs the script, which would end without its child. Hence
// the `exec` in package.json, which puts this process in the shell's place (Windows knows no such word and no
// such signals, and takes the other half of the line), and hence the import below instead of a child process.
//
// What is said here goes to stderr: stdout is the server's, which may be JSON lines.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { commandOf, generate } from "./generate.mjs";

const ROOT = new URL("..", import.meta.url);

/** @param {string} step */
const announce = (step) => process.stderr.write(`${step} …\n`);

function build() {
  generate(announce);
  announce("compiling");
  const compiler = spawnSync(
    process.execPath,
    [commandOf("typescript", "tsc"), "-p", "tsconfig.build.json"],
    {
      cwd: ROOT,
      stdio: ["ignore", 2, 2],
    },
  );
  // Ctrl-C reaches the compiler as well, which ends by it.
  if (compiler.signal !== null) process.kill(process.pid, compiler.signal);
  if (compiler.status !== 0) throw new Error("The sources do not compile; see above.");
}

try {
  build();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}
announce("starting");
// So that the server sees what `node dist/main.js` would show it.
const main = new URL("dist/main.js", ROOT);
process.argv[1] = fileURLToPath(main);
await import(main.href);

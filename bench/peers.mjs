// Prepares the peers: installs their packages and generates the Prisma client of Apollo Server, unless that was done before.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { commandOf } from "../tools/generate.mjs";

const path = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));

/** @param {string} command @param {string[]} args @param {string} cwd @param {NodeJS.ProcessEnv} [env] */
function run(command, args, cwd, env = process.env) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    env,
    encoding: "utf8",
    shell: process.platform === "win32" && command === "npm",
  });
  if (status !== 0) {
    throw new Error([`${command} ${args.join(" ")} failed:`, stdout, stderr, error?.message].join("\n"));
  }
  return stdout;
}

/** @param {(line: string) => void} say */
export function preparePeers(say) {
  if (!existsSync(path("peers/node_modules/.package-lock.json"))) {
    say("installing the peers");
    run("npm", ["ci", "--no-audit", "--no-fund"], path("peers"));
  }
  if (!existsSync(path("peers/generated/index.js"))) {
    say("generating the Prisma client of Apollo Server");
    run(
      process.execPath,
      [commandOf("prisma", "prisma"), "generate", "--schema", "plain.prisma"],
      path("data"),
      // As in tools/generate.mjs: this keeps Prisma from downloading an engine.
      { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, CHECKPOINT_DISABLE: "1" },
    );
  }
}

/** Installed versions of the peers' packages. @returns {Record<string, string>} */
export function peerVersions() {
  const { dependencies } = JSON.parse(run("npm", ["ls", "--json", "--depth=0"], path("peers")));
  return Object.fromEntries(
    Object.entries(/** @type {Record<string, { version?: string }>} */ (dependencies))
      .filter(([, { version }]) => version !== undefined)
      .map(([name, { version }]) => [name, /** @type {string} */ (version)]),
  );
}

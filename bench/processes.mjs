// Starts the processes of a measurement and reads their CPU time and memory.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Node.js options of every measured server. */
export const V8_FLAGS = "--max-semi-space-size=64";

/** Token of the bot that telegram.mjs simulates. */
export const BOT_TOKEN = "7000000001:bench";

const MAIN = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));

/** Milliseconds between two looks at the output of a starting server for its address. */
const POLL_MS = 5;

/** A server in a process of its own. Its environment has only the given variables and a few fixed ones. */
export class ServerProcess {
  /** @type {import("node:child_process").ChildProcess} */
  child;
  #folder = mkdtempSync(join(tmpdir(), "invite-links-log-"));
  #stderr = "";
  #hasExited = false;
  /** @type {Promise<unknown>} */
  #exited;

  /**
   * @param {readonly string[]} command
   * @param {Record<string, string>} environment
   * @param {{ node?: string }} [options] path of another Node.js than the current one
   */
  constructor(command, environment, { node = process.execPath } = {}) {
    // Writing the log to a file costs the server little, and no process has to read it.
    const log = openSync(this.#log, "a");
    this.child = spawn(node, command, {
      env: {
        PATH: process.env["PATH"] ?? "",
        NODE_ENV: "production",
        NODE_OPTIONS: V8_FLAGS,
        PORT: "0",
        ...environment,
      },
      stdio: ["ignore", log, "pipe"],
    });
    closeSync(log);
    this.child.stderr?.setEncoding("utf8").on("data", (text) => {
      this.#stderr = (this.#stderr + text).slice(-10_000);
    });
    this.#exited = once(this.child, "close").finally(() => {
      this.#hasExited = true;
      rmSync(this.#folder, { recursive: true, force: true });
    });
  }

  get #log() {
    return join(this.#folder, "stdout");
  }

  /**
   * @returns {Promise<URL>} the server's address, as soon as the server prints it: this server as a JSON line on stdout,
   *   the others as "ready: <address>" on stderr
   * @throws Error if the process ends first
   */
  async ready() {
    while (!this.#hasExited) {
      const address =
        /\bready: (http\S+)/.exec(this.#stderr) ??
        /^{.*"url":"(http[^"]+)".*"msg":"invite-links is ready/m.exec(readFileSync(this.#log, "utf8"));
      if (address?.[1] !== undefined) return new URL(address[1]);
      await delay(POLL_MS);
    }
    throw new Error(`The server ended: ${this.#stderr}`);
  }

  get pid() {
    return this.child.pid ?? 0;
  }

  async stop() {
    this.child.kill("SIGTERM");
    await this.#exited;
  }
}

/**
 * Starts this server.
 * @param {Record<string, string>} environment
 * @param {readonly string[]} [flags] of Node.js
 */
export const startThisServer = (environment, flags = []) =>
  new ServerProcess([...flags, MAIN, "serve"], environment);

/**
 * Runs a command of `invite-links`.
 * @param {readonly string[]} args
 * @param {Record<string, string>} env
 * @returns {Promise<any>} the printed JSON, parsed
 */
async function command(args, env) {
  const { stdout } = await run(process.execPath, [MAIN, ...args], { env });
  return JSON.parse(stdout);
}

/** @param {Record<string, string>} env */
export const migrate = (env) => command(["migrate"], env);

/** Counts the members of all links anew. @param {Record<string, string>} env */
export const recountMembers = (env) => run(process.execPath, [MAIN, "recount"], { env });

/** The differences that `recount --check` finds, as it prints them; empty if there are none. @param {Record<string, string>} env */
export const checkCounts = (env) =>
  run(process.execPath, [MAIN, "recount", "--check"], { env }).then(
    () => "",
    ({ stdout, stderr }) => `${stdout}${stderr}`,
  );

/** Creates an API token with the role EDITOR for all channels. @param {Record<string, string>} env */
export const makeToken = async (env) =>
  (await command(["token", "create", "--name", "bench", "--role", "EDITOR"], env)).secret;

/** Linux reports the CPU time of processes in hundredths of a second. */
const TICK_MS = 10;

/** Fields of /proc/<pid>/stat. The process name before them may contain spaces and parentheses. @param {number} pid */
function statOf(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const at = (/** @type {number} */ index) => Number(fields[index - 3]);
  return { parent: at(4), own: (at(14) + at(15)) * TICK_MS, children: (at(16) + at(17)) * TICK_MS };
}

/**
 * CPU milliseconds of a process so far; NaN on systems without /proc.
 * @param {number} pid
 */
export function cpuOf(pid) {
  try {
    return statOf(pid).own;
  } catch {
    return Number.NaN;
  }
}

/**
 * CPU milliseconds of all processes of a PostgreSQL server so far, with those that have ended; NaN if not available.
 * @param {number | null} postmaster its main process; null: it is not on this machine
 */
export function cpuOfPostgres(postmaster) {
  if (postmaster === null) return Number.NaN;
  try {
    const main = statOf(postmaster);
    let sum = main.own + main.children;
    for (const name of readdirSync("/proc")) {
      if (!/^\d+$/.test(name)) continue;
      try {
        const { parent, own } = statOf(Number(name));
        if (parent === postmaster) sum += own;
      } catch {
        // The process has ended meanwhile and is counted among the main process's children.
      }
    }
    return sum;
  } catch {
    return Number.NaN;
  }
}

/** The main process of a session's PostgreSQL server; null if it is not on this machine. @param {number} backend */
export function postmasterOf(backend) {
  try {
    return readFileSync(`/proc/${backend}/comm`, "utf8").startsWith("postgres")
      ? statOf(backend).parent
      : null;
  } catch {
    return null;
  }
}

/** Resident megabytes of a process, now and at the maximum. @param {number} pid */
export function memoryOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/status`, "utf8");
    const megabytes = (/** @type {string} */ name) =>
      Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1]) / 1024;
    return { now: megabytes("VmRSS"), most: megabytes("VmHWM") };
  } catch {
    return { now: Number.NaN, most: Number.NaN };
  }
}

// The processes of a measurement: how they are started, and what they cost.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The same for every server that is measured. */
export const V8_FLAGS = "--max-semi-space-size=64";

/** Of the bot that telegram.mjs plays. */
export const BOT_TOKEN = "7000000001:bench";

const MAIN = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));

/** How often a server that starts is asked whether it has said where it listens, in milliseconds. */
const LOOK_EVERY_MS = 5;

/**
 * A server as a process of its own, with nothing in its environment but what is given.
 */
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
   * @param {{ node?: string }} [options] another Node.js than the one that runs this
   */
  constructor(command, environment, { node = process.execPath } = {}) {
    // A file, since it costs the server next to nothing, and nobody has to read all of its log.
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
   * @returns {Promise<URL>} where it listens, once it has said so: this server in a JSON line on stdout, the others
   *   by "ready: <address>" on stderr
   */
  async ready() {
    while (!this.#hasExited) {
      const address =
        /\bready: (http\S+)/.exec(this.#stderr) ??
        /^{.*"url":"(http[^"]+)".*"msg":"invite-links is ready/m.exec(readFileSync(this.#log, "utf8"));
      if (address?.[1] !== undefined) return new URL(address[1]);
      await delay(LOOK_EVERY_MS);
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
 * This server's own process.
 * @param {Record<string, string>} environment
 * @param {readonly string[]} [flags] of Node.js
 */
export const startThisServer = (environment, flags = []) =>
  new ServerProcess([...flags, MAIN, "serve"], environment);

/**
 * A command of this server's.
 * @param {readonly string[]} args
 * @param {Record<string, string>} env
 * @returns {Promise<any>} what it printed
 */
async function command(args, env) {
  const { stdout } = await run(process.execPath, [MAIN, ...args], { env });
  return JSON.parse(stdout);
}

/** @param {Record<string, string>} env */
export const migrate = (env) => command(["migrate"], env);

/** An API token that is limited to nothing but its role. @param {Record<string, string>} env */
export const makeToken = async (env) =>
  (await command(["token", "create", "--name", "bench", "--role", "EDITOR"], env)).secret;

/** Linux counts a process' time in hundredths of a second, whatever its kernel's own clock. */
const TICK_MS = 10;

/** The numbers of /proc/<pid>/stat, from the third on: its text before them may hold anything. @param {number} pid */
function statOf(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const at = (/** @type {number} */ index) => Number(fields[index - 3]);
  return { parent: at(4), own: (at(14) + at(15)) * TICK_MS, children: (at(16) + at(17)) * TICK_MS };
}

/**
 * Milliseconds of CPU time of a process so far; NaN where this system does not tell.
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
 * As cpuOf, of all of a PostgreSQL server's processes, those that have ended included.
 * @param {number | null} postmaster
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
        // It has ended meanwhile, and is counted among the main process' children.
      }
    }
    return sum;
  } catch {
    return Number.NaN;
  }
}

/** The main process of the server that a session belongs to, null where it is not on this machine. @param {number} backend */
export function postmasterOf(backend) {
  try {
    return readFileSync(`/proc/${backend}/comm`, "utf8").startsWith("postgres")
      ? statOf(backend).parent
      : null;
  } catch {
    return null;
  }
}

/** Megabytes in memory, now and at the most. @param {number} pid */
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

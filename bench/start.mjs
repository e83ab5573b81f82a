// The part `start`: time until this server is ready on an existing database, memory at rest, and installed size, each with
// its largest shares.

import { execFileSync } from "node:child_process";
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { prepareDatabase, prepareEmbedded } from "./data.mjs";
import { machine } from "./machine.mjs";
import { memoryOf, startThisServer } from "./processes.mjs";
import { startTelegram, telegramEnvironment } from "./servers.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const STARTS = 5;
const LINKS = 20_000;
const MOST = 6;

/** @param {number[]} numbers */
const median = (numbers) => /** @type {number} */ ([...numbers].sort((a, b) => a - b)[numbers.length >> 1]);

/** The largest sums, at most MOST of them. @param {Map<string, number>} sums @returns {[string, number][]} */
const largest = (sums) => [...sums].sort(([, a], [, b]) => b - a).slice(0, MOST);

/** The package that a file belongs to, or another name for its origin. @param {string} file */
function ownerOf(file) {
  const inPackage = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1];
  if (inPackage !== undefined) return inPackage;
  return file.startsWith("node:") || file === "" ? "Node.js (finding and compiling modules)" : "invite-links";
}

/** @param {Record<string, string>} environment @param {readonly string[]} [flags] of Node.js */
async function startOnce(environment, flags) {
  const started = performance.now();
  const server = startThisServer(environment, flags);
  const url = await server.ready();
  for (;;) {
    const { status } = await fetch(new URL("/readyz", url));
    if (status === 200) break;
    await delay(5);
  }
  return { server, url, took: performance.now() - started };
}

/** CPU milliseconds of one start by package. @param {Record<string, string>} environment */
async function profile(environment) {
  const folder = mkdtempSync(join(tmpdir(), "invite-links-profile-"));
  try {
    const { server } = await startOnce(environment, ["--cpu-prof", `--cpu-prof-dir=${folder}`]);
    await server.stop();
    const sums = new Map();
    for (const file of readdirSync(folder)) {
      const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(join(folder, file), "utf8"));
      const owners = new Map();
      for (const { id, callFrame } of nodes) {
        const { functionName, url } = callFrame;
        owners.set(id, functionName.startsWith("(") ? functionName : ownerOf(url));
      }
      for (const [index, sample] of samples.entries()) {
        const owner = owners.get(sample);
        if (owner !== "(idle)") sums.set(owner, (sums.get(owner) ?? 0) + timeDeltas[index] / 1000);
      }
    }
    return largest(sums);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {Record<string, string>} environment */
async function measureForm(environment) {
  const times = [];
  /** @type {Record<string, number>} */
  let memory = {};
  for (let start = 0; start < STARTS; start += 1) {
    const { server, url, took } = await startOnce(environment);
    times.push(took);
    if (start === STARTS - 1) {
      await delay(2000);
      const metrics = await (await fetch(new URL("/metrics", url))).text();
      const metric = (/** @type {string} */ name) =>
        Number(new RegExp(`^\\S*${name}(?:\\{[^}]*\\})? (\\S+)`, "m").exec(metrics)?.[1]) / 2 ** 20;
      memory = {
        resident: memoryOf(server.pid).now,
        "V8's heap": metric("nodejs_heap_size_total_bytes"),
        "buffers and WebAssembly": metric("nodejs_external_memory_bytes"),
      };
    }
    await server.stop();
  }
  return {
    ready: { median: median(times), least: Math.min(...times), most: Math.max(...times) },
    memory,
    profile: await profile(environment),
  };
}

/** @param {string} folder @param {(file: string, bytes: number) => void} visit */
function visitFiles(folder, visit) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) visitFiles(path, visit);
    else visit(path, lstatSync(path).size);
  }
}

/** Megabytes of the installed package and its dependencies, by package. */
function installedSize() {
  const folder = mkdtempSync(join(tmpdir(), "invite-links-size-"));
  try {
    const npm = (/** @type {string[]} */ args, /** @type {string} */ cwd) =>
      execFileSync("npm", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    npm(["pack", "--silent", "--ignore-scripts", "--pack-destination", folder], ROOT);
    const tarball = /** @type {string} */ (readdirSync(folder)[0]);
    npm(
      ["install", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", join(folder, tarball)],
      folder,
    );
    const sums = new Map();
    visitFiles(join(folder, "node_modules"), (file, bytes) => {
      const owner = ownerOf(file.slice(folder.length).replaceAll("\\", "/"));
      sums.set(owner, (sums.get(owner) ?? 0) + bytes / 2 ** 20);
    });
    return { all: [...sums.values()].reduce((sum, one) => sum + one, 0), most: largest(sums) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @param {string} postgres
 * @param {{ seed: number, data: string, say: (line: string) => void }} options
 */
export async function measureStart(postgres, { seed, data, say }) {
  const url = await prepareDatabase(postgres, { links: LINKS, seed, say });
  const dataDir = await prepareEmbedded(data, { links: LINKS, seed, say });
  const telegram = startTelegram();
  try {
    const environment = telegramEnvironment(await telegram.ready());
    say("starting");
    const forms = {
      "a PostgreSQL server": await measureForm({ ...environment, DATABASE_URL: url }),
      "the embedded database": await measureForm({ ...environment, DATA_DIR: dataDir }),
    };
    say("installing the package");
    return { kind: "start", links: LINKS, ...(await machine(url)), forms, installed: installedSize() };
  } finally {
    await telegram.stop();
  }
}

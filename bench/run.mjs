// `npm run bench`: prepares peers and data, measures, and writes RESULTS.md.

import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { prepareDatabase, prepareEmbedded } from "./data.mjs";
import { measureFairness } from "./fair.mjs";
import { measureFastPaths } from "./fastPaths.mjs";
import { checkGuard, GUARD, guardTable } from "./guard.mjs";
import { measureLive } from "./live.mjs";
import { machine } from "./machine.mjs";
import { measure } from "./measure.mjs";
import { measureMemberReads } from "./memberReads.mjs";
import { measureMembers } from "./members.mjs";
import { preparePeers } from "./peers.mjs";
import { startBenchPostgres } from "./postgres.mjs";
import { addResults, table, writeReport } from "./report.mjs";
import { candidates } from "./servers.mjs";
import { measureStart } from "./start.mjs";
import { WORKLOADS } from "./workloads.mjs";

/** The parts of the benchmark other than the workloads. */
const OTHER_PARTS = ["embedded", "start", "fair", "fast-paths", "members", "member-reads", "live"];

const HELP = `npm run bench -- [options]

  --scale N            number of links, from 10000 to 10000000 (default: 500000)
  --seed N             seed of the data and the requests (default: 42)
  --rounds N           slices of each server in each workload (default: 6)
  --slice MS           length of a slice (default: 2000)
  --connections N      concurrent connections (default: 32)
  --only A,B           parts to measure: ${[...Object.keys(WORKLOADS), ...OTHER_PARTS].join(", ")}
                       (default: all)
  --candidates A,B     servers to measure: ${Object.keys(candidates({})).join(", ")}
                       (default: all)
  --ours-env KEY=VALUE environment variable for this server, repeatable
  --url URL            PostgreSQL server to measure on (default: one that the benchmark starts)
  --data FOLDER        data folder of the started PostgreSQL server (default: bench/.data)
  --short              little data and short slices; prints the tables and writes no file
  --guard              fails if a request of this server costs more than guard.mjs allows; without the peers
  --report             writes RESULTS.md again from results.json, without measuring
`;

const { values: given } = parseArgs({
  options: {
    scale: { type: "string" },
    seed: { type: "string", default: "42" },
    rounds: { type: "string" },
    slice: { type: "string" },
    connections: { type: "string" },
    only: { type: "string" },
    candidates: { type: "string" },
    "ours-env": { type: "string", multiple: true, default: [] },
    url: { type: "string" },
    data: { type: "string", default: fileURLToPath(new URL(".data", import.meta.url)) },
    short: { type: "boolean", default: false },
    guard: { type: "boolean", default: false },
    report: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const small = given.short || given.guard;
const PACE = { rounds: 6, slice: 2000, warming: { answers: 5000, milliseconds: 6000 } };
const SHORT = { rounds: 2, slice: 500, warming: { answers: 500, milliseconds: 1000 } };
const pace = given.guard ? GUARD.pace : given.short ? SHORT : PACE;
const options = {
  links: Number(given.scale ?? (small ? 20_000 : 500_000)),
  seed: Number(given.seed),
  rounds: Number(given.rounds ?? pace.rounds),
  slice: Number(given.slice ?? pace.slice),
  warming: pace.warming,
  connections: Number(given.connections ?? 32),
};
const EMBEDDED_LINKS = 20_000;
/** A fifth of the links is in the channel that is read. */
const FAIR_LINKS = 1_000_000;
const FAIR_MS = 30_000;
const FAST_PATH_LINKS = 200_000;
const FAST_PATH_PACE = { rounds: 16, slice: 1000, warming: { answers: 5000, milliseconds: 6000 } };
/** A fifth of the links, and all members, are in the channel that is read. */
const MEMBER_READS = { links: 500_000, members: 10_000_000, rounds: 6, slice: 2000 };
const FEW_MEMBER_READS = { links: 20_000, members: 100_000, rounds: 1, slice: 500 };
const LIVE = { channels: 100, subscribers: 1000, rates: [100, 1000], milliseconds: 10_000 };
const SHORT_LIVE = { channels: 20, subscribers: 100, rates: [100], milliseconds: 2000 };
const LIVE_SERVERS = [1, 3];
const EMBEDDED_WORKLOADS = ["W1", "W1c", "W2", "W3", "W4"];

const say = (/** @type {string} */ line) => console.error(line);

const parts = given.only?.split(",") ?? [...Object.keys(WORKLOADS), ...(given.guard ? [] : OTHER_PARTS)];
/** @param {readonly string[]} asked @param {readonly string[]} known */
function onlyKnown(asked, known) {
  const unknown = asked.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`Unknown: ${unknown.join(", ")}. Possible: ${known.join(", ")}.`);
}
onlyKnown(parts, [...Object.keys(WORKLOADS), ...OTHER_PARTS]);
const workloads = Object.keys(WORKLOADS).filter((name) => parts.includes(name));
const chosen = given.guard ? ["limit", "forgetful"] : given.candidates?.split(",");
onlyKnown(chosen ?? [], Object.keys(candidates({})));
const environment = Object.fromEntries(
  given["ours-env"].map((pair) => /** @type {[string, string]} */ (pair.split(/=(.*)/s).slice(0, 2))),
);
/** The chosen candidates of one form of the database. @param {boolean} embedded */
const chosenCandidates = (embedded) =>
  Object.fromEntries(
    Object.entries(candidates(environment)).filter(
      ([name, candidate]) =>
        name === "limit" ||
        ((chosen?.includes(name) ?? true) &&
          (candidate.embedded === true) === embedded &&
          !(embedded && candidate.peer)),
    ),
  );

/** @param {string} server a PostgreSQL's address */
async function measureServers(server) {
  const url = await prepareDatabase(server, { ...options, say });
  const measured = await measure(
    url,
    { dataDir: "" },
    { ...options, candidates: chosenCandidates(false), workloads, say },
  );
  return { kind: "server", ...options, environment, ...(await machine(url)), ...measured };
}

/** @param {string} server */
async function measureEmbedded(server) {
  const size = { ...options, links: EMBEDDED_LINKS };
  const url = await prepareDatabase(server, { ...size, say });
  const dataDir = await prepareEmbedded(given.data, { ...size, say });
  const names = workloads.length > 0 ? workloads : EMBEDDED_WORKLOADS;
  const measured = await measure(
    url,
    { dataDir },
    {
      ...size,
      candidates: chosenCandidates(true),
      workloads: names.filter((name) => EMBEDDED_WORKLOADS.includes(name)),
      say,
    },
  );
  return { kind: "embedded", ...size, environment, ...(await machine(url)), ...measured };
}

/** @param {string} server */
function measureEachFastPath(server) {
  const pace = small ? SHORT : FAST_PATH_PACE;
  return measureFastPaths(server, {
    ...options,
    links: Number(given.scale ?? (small ? options.links : FAST_PATH_LINKS)),
    rounds: Number(given.rounds ?? pace.rounds),
    slice: Number(given.slice ?? pace.slice),
    warming: pace.warming,
    environment,
    say,
  });
}

/** Prints a run and stores it at once, so that it is kept if a later part fails. @param {any} run */
function conclude(run) {
  if (given.guard) {
    console.log(guardTable(run));
    const failures = checkGuard(run);
    for (const failure of failures) console.error(failure);
    if (failures.length > 0) process.exitCode = 1;
    return;
  }
  console.log(table(run));
  if (!given.short) {
    addResults(run);
    writeReport();
  }
}

async function main() {
  if (given.help) return console.log(HELP);
  if (given.report) return writeReport();
  if (Object.values(chosenCandidates(false)).some(({ peer }) => peer) && workloads.length > 0)
    preparePeers(say);
  mkdirSync(given.data, { recursive: true });
  // The guard starts with an empty server each time.
  const postgres = given.url
    ? null
    : await startBenchPostgres(given.guard ? undefined : `${given.data}/postgres`);
  const server = given.url ?? /** @type {{ url: string }} */ (postgres).url;
  try {
    if (workloads.length > 0) conclude(await measureServers(server));
    if (parts.includes("fast-paths")) conclude(await measureEachFastPath(server));
    if (parts.includes("members")) {
      conclude(await measureMembers(server, { rounds: Number(given.rounds ?? (small ? 1 : 6)), say }));
    }
    if (parts.includes("member-reads")) {
      const size = small ? FEW_MEMBER_READS : MEMBER_READS;
      conclude(await measureMemberReads(server, { ...size, seed: options.seed, say }));
    }
    if (parts.includes("live")) {
      for (const servers of LIVE_SERVERS)
        conclude(await measureLive(server, { servers, ...(small ? SHORT_LIVE : LIVE), say }));
    }
    if (parts.includes("embedded")) conclude(await measureEmbedded(server));
    if (parts.includes("fair")) {
      const links = Number(given.scale ?? (small ? options.links : FAIR_LINKS));
      const milliseconds = small ? FAIR_MS / 3 : FAIR_MS;
      conclude(await measureFairness(server, { links, seed: options.seed, milliseconds, say }));
    }
    if (parts.includes("start")) {
      conclude(await measureStart(server, { seed: options.seed, data: given.data, say }));
    }
  } finally {
    await postgres?.stop();
  }
}

await main();

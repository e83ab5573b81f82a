// The part `fast-paths`: the CPU time that each fast path of src/fastPaths.ts saves. This server runs twice at a time, with
// all fast paths and without one of them, and both get slices of load in turn. With ten servers in one rotation, which wait
// long between their slices, the first server of each round needed up to three times the CPU time of the others. CPU time
// is compared rather than requests per second, because CPU time depends less on the other work of the machine.

import { prepareDatabase } from "./data.mjs";
import { machine } from "./machine.mjs";
import { measure } from "./measure.mjs";
import { measured, spread } from "./ratios.mjs";
import { fastPathPairs, NOTHING_LEFT_OUT } from "./servers.mjs";

/** @typedef {import("./measure.mjs").Measured} Measured */
/** @typedef {import("./measure.mjs").ByCandidate} ByCandidate */

/**
 * The workloads for which each fast path was made.
 * @type {Record<string, string[]>}
 */
const WORKLOADS_OF = {
  plannedExecutor: ["W1", "W3"],
  yogaShortcut: ["W1", "W3"],
  responseMemo: ["W1", "W2"],
  tagCache: ["W1", "W2"],
  callerCache: ["W1", "W3"],
  pipelinedSessions: ["W1", "W3"],
  bitmaps: ["W1t", "W5", "W6", "W6g"],
  tagMergeScan: ["W2"],
  dayOffsets: ["W4n"],
};
/** A fast path is to be deleted if no workload needs more than this many times the CPU time without it. */
export const WORTH_KEEPING = 1.1;

/**
 * @param {string} postgres address of any database of the server
 * @param {{ links: number, seed: number, rounds: number, slice: number, connections: number,
 *   warming: { answers: number, milliseconds: number }, environment: Record<string, string>,
 *   say: (line: string) => void }} options
 */
export async function measureFastPaths(postgres, { environment, ...options }) {
  const url = await prepareDatabase(postgres, options);
  /** @type {Record<string, Record<string, ByCandidate | undefined>>} */
  const paths = {};
  for (const [name, candidates] of Object.entries(await fastPathPairs(environment))) {
    const workloads = WORKLOADS_OF[name];
    if (!workloads) throw new Error(`No workload shows what the fast path ${name} saves.`);
    options.say(`without ${name}`);
    const results = await measure(
      url,
      { dataDir: "" },
      { ...options, candidates, workloads, countsStatements: false },
    );
    paths[name] = results.workloads;
  }
  const { links, seed, rounds, slice, connections } = options;
  return {
    kind: "fast-paths",
    links,
    seed,
    rounds,
    slice,
    connections,
    environment,
    ...(await machine(url)),
    paths,
  };
}

/** Medians of the rounds, in milliseconds for one request. @param {Measured} one */
const cpuOfRounds = ({ nodeCpuByRound, postgresCpuByRound }) => ({
  node: spread(nodeCpuByRound).median,
  postgres: spread(postgresCpuByRound).median,
});

/**
 * The CPU times of a pair, and how many times the CPU time of all processes a request takes without the fast path: each
 * round by itself, then the median. Null if a server of the pair was not measured.
 * @param {ByCandidate | undefined} results
 * @param {string} name
 */
export function comparePair(results, name) {
  const [without, all] = [measured(results, name), measured(results, NOTHING_LEFT_OUT)];
  if (without === null || all === null) return null;
  const cpu = (/** @type {Measured} */ one, /** @type {number} */ round) =>
    Number(one.nodeCpuByRound[round]) + Number(one.postgresCpuByRound[round]);
  const times = spread(all.nodeCpuByRound.map((_, round) => cpu(without, round) / cpu(all, round)));
  return { all: cpuOfRounds(all), without: cpuOfRounds(without), times };
}

// The part `fast-paths`: the CPU time that each fast path of src/fastPaths.ts saves. This server runs with
// all fast paths and once without each of them, all in the same rounds. CPU time is compared rather than requests per
// second, because CPU time depends less on the other work of the machine. On a machine with much other work, even CPU
// time varies by more than a tenth.

import { prepareDatabase } from "./data.mjs";
import { machine } from "./machine.mjs";
import { measure } from "./measure.mjs";
import { measured, spread } from "./ratios.mjs";
import { fastPathCandidates, NOTHING_LEFT_OUT } from "./servers.mjs";

/** @typedef {import("./measure.mjs").Measured} Measured */
/** @typedef {import("./measure.mjs").ByCandidate} ByCandidate */

/** Pages and single links, and the workloads for which a fast path was made. */
const FAST_PATH_WORKLOADS = ["W1", "W2", "W3", "W4", "W4n", "W1t", "W5", "W6", "W6g", "W9"];
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
  const candidates = await fastPathCandidates(environment);
  const results = await measure(
    url,
    { dataDir: "" },
    {
      ...options,
      candidates,
      workloads: FAST_PATH_WORKLOADS,
      countsStatements: false,
    },
  );
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
    titles: Object.fromEntries(Object.entries(candidates).map(([name, { title }]) => [name, title])),
    workloads: results.workloads,
  };
}

/** Medians of the rounds, in milliseconds for one request. @param {Measured} one */
export const cpuOfRounds = ({ nodeCpuByRound, postgresCpuByRound }) => ({
  node: spread(nodeCpuByRound).median,
  postgres: spread(postgresCpuByRound).median,
});

/**
 * How many times the CPU time of all processes a request takes without a fast path: each round by itself, then the
 * median. Null if it was not measured.
 * @param {ByCandidate | undefined} results
 * @param {string} name
 */
export function timesTheCpu(results, name) {
  const [without, all] = [measured(results, name), measured(results, NOTHING_LEFT_OUT)];
  if (without === null || all === null) return null;
  const cpu = (/** @type {Measured} */ one, /** @type {number} */ round) =>
    Number(one.nodeCpuByRound[round]) + Number(one.postgresCpuByRound[round]);
  return spread(all.nodeCpuByRound.map((_, round) => cpu(without, round) / cpu(all, round))).median;
}

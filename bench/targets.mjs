// Compares the results with the targets.

import { bestPeer, cost, measured, ratio } from "./ratios.mjs";
import { WORKLOADS } from "./workloads.mjs";

/** @typedef {{ what: string, wanted: string, found: string, reached: boolean | null }} Target */

/** Workload, required and desired multiple of the limit's requests per second; null: nothing beyond the requirement. @type {[string, number, number | null][]} */
const OF_THE_LIMIT = [
  ["W1", 0.75, 0.9],
  ["W4", 0.75, 0.9],
  ["W2", 1.5, null],
  ["W3", 0.5, 0.65],
];
const AHEAD = new Map([["W1", 1.3]]);
/** CPU milliseconds of PostgreSQL in which a channel of a million links must be counted. */
const COUNTING_MS = 100;
const COUNTED = { W1t: "totalCount", W5: "facets", W6: "totals" };
const MILLION = 1_000_000;
/** The largest channel has a fifth of all links. */
const inLargest = (/** @type {number} */ links) => links / 5;

/**
 * @param {any[]} runs of kind "server", the main one first
 * @param {readonly string[]} peers
 * @returns {Target[]}
 */
export function targetsOf(runs, peers) {
  const [main] = runs;
  const ours = (/** @type {any} */ run, /** @type {string} */ name) => measured(run?.workloads[name], "ours");
  /** @type {Target[]} */
  const targets = [];

  for (const [name, required, aimed] of OF_THE_LIMIT) {
    const found = ratio(ours(main, name), measured(main.workloads[name], "limit"));
    targets.push({
      what: `${name}, times the limit's requests per second`,
      wanted: aimed === null ? `at least ${required}` : `at least ${required}, desired ${aimed}`,
      found: found?.median.toFixed(2) ?? "–",
      reached: found && found.median >= required,
    });
  }

  for (const name of Object.keys(WORKLOADS)) {
    const best = bestPeer(main.workloads[name], peers);
    if (best === null) continue;
    const found = ratio(ours(main, name), best.one);
    const wanted = AHEAD.get(name) ?? 1;
    targets.push({
      what: `${name}, times the best peer's requests per second (${best.name})`,
      wanted: AHEAD.has(name) ? `at least ${wanted}` : "more than 1",
      found: found?.median.toFixed(2) ?? "–",
      reached: found && (AHEAD.has(name) ? found.median >= wanted : found.median > wanted),
    });
  }

  const [first, deep] = [ours(main, "W1"), ours(main, "W4")];
  if (first !== null && deep !== null) {
    const found = ratio(first, deep);
    targets.push({
      what: "requests per second of W1, times those of W4 (a page 50,000 links deep)",
      wanted: "at most 1.2",
      found: found?.median.toFixed(2) ?? "–",
      reached: found && found.median <= 1.2,
    });
  }

  const [small, large] = [100_000, 10_000_000].map((links) => runs.find((run) => run.links === links));
  for (const name of ["W1", "W2", "W3", "W4"]) {
    const [one, other] = [ours(small, name), ours(large, name)];
    const found = one === null || other === null ? null : cost(other) / cost(one);
    targets.push({
      what: `${name} at 10,000,000 links, times its CPU time at 100,000`,
      wanted: "at most 2",
      found: found?.toFixed(2) ?? "–",
      reached: found === null ? null : found <= 2,
    });
  }

  const counted = runs.find(({ links }) => inLargest(links) >= MILLION);
  const links = counted === undefined ? MILLION : inLargest(counted.links);
  for (const [name, what] of Object.entries(COUNTED)) {
    const one = ours(counted, name);
    // The number of blocks that are read grows with the number of links.
    const wanted = COUNTING_MS * (links / MILLION);
    targets.push({
      what: `${what} of a channel of ${links.toLocaleString("en-US")} links, CPU ms of PostgreSQL`,
      wanted: `under ${wanted}: ${COUNTING_MS} for each million`,
      found: one === null ? "–" : one.postgresCpu.toFixed(1),
      reached: one === null ? null : one.postgresCpu < wanted,
    });
  }
  return targets;
}

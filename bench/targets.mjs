// What was to be reached, held against what was measured.

import { bestPeer, cost, measured, ratio } from "./ratios.mjs";
import { WORKLOADS } from "./workloads.mjs";

/** @typedef {{ what: string, wanted: string, found: string, reached: boolean | null }} Target */

/** Of the limit's requests per second: required, and aimed at. @type {[string, number, number | null][]} */
const OF_THE_LIMIT = [
  ["W1", 0.75, 0.9],
  ["W4", 0.75, 0.9],
  ["W2", 1.5, null],
  ["W3", 0.5, 0.65],
];
const AHEAD = new Map([["W1", 1.3]]);
/** Milliseconds of PostgreSQL's time that counting a channel of a million links may take. */
const COUNTING_MS = 100;
const COUNTED = { W1t: "totalCount", W5: "facets", W6: "totals" };
const MILLION = 1_000_000;
/** A fifth of all links is in the largest channel. */
const inLargest = (/** @type {number} */ links) => links / 5;

/**
 * @param {any[]} runs on a server, the main one first
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
      what: `${name} of the limit's requests per second`,
      wanted: aimed === null ? `${required}` : `${required}, aimed at ${aimed}`,
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
      what: `${name} of the best peer's (${best.name})`,
      wanted: AHEAD.has(name) ? `${wanted}` : "more than 1",
      found: found?.median.toFixed(2) ?? "–",
      reached: found && (AHEAD.has(name) ? found.median >= wanted : found.median > wanted),
    });
  }

  const [first, deep] = [ours(main, "W1"), ours(main, "W4")];
  if (first !== null && deep !== null) {
    const found = ratio(first, deep);
    targets.push({
      what: "a page some 50,000 deep, times the first page",
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
    // It grows with the blocks of bits that are read, and they with the links.
    const wanted = COUNTING_MS * (links / MILLION);
    targets.push({
      what: `${what} of a channel of ${links.toLocaleString("en-US")} links, ms of PostgreSQL's CPU time`,
      wanted: `under ${wanted}, as ${COUNTING_MS} for a million`,
      found: one === null ? "–" : one.postgresCpu.toFixed(1),
      reached: one === null ? null : one.postgresCpu < wanted,
    });
  }
  return targets;
}

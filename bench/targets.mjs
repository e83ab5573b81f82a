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
/** Our p99 at half load, in multiples of the limit's. */
const CALM_P99 = 2;
/** CPU milliseconds of Node.js for the creation of a link. */
const CREATION_MS = 3;
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

  for (const name of Object.keys(WORKLOADS)) {
    const [one, other] = [ours(main, name), measured(main.workloads[name], "limit")];
    if (one?.calmP99 == null || other?.calmP99 == null) continue;
    const found = one.calmP99 / other.calmP99;
    targets.push({
      what: `${name}, times the limit's p99 at half load`,
      wanted: `at most ${CALM_P99}`,
      found: found.toFixed(2),
      reached: found <= CALM_P99,
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

  const creation = ours(main, "W7")?.nodeCpu;
  targets.push({
    what: "W7 (creation of a link), CPU ms of Node.js",
    wanted: `under ${CREATION_MS}`,
    found: creation?.toFixed(2) ?? "–",
    reached: creation === undefined ? null : creation < CREATION_MS,
  });

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

/** PostgreSQL's CPU milliseconds of a workload of the part `member-reads`. */
const MEMBER_READ_MS = {
  M5: 50,
  M5c: 50,
  M5g: 250,
  M6: 300,
  M6c: 300,
  M6g: 1500,
  M7: 200,
  M7g: 1000,
  M8: 100,
  M8g: 300,
};
/** How much CPU time a page may cost in comparison with another one. @type {[string, string, number][]} */
const MEMBER_PAGES = [
  ["M1", "W1", 1.25],
  ["M2", "M2n", 1.1],
  ["M3", "M3n", 1.1],
  ["M4", "M4n", 1.1],
];

/** @param {string} what @param {"at most" | "at least"} side @param {number} wanted @param {number | null | undefined} found @param {number} digits @returns {Target} */
function target(what, side, wanted, found, digits) {
  const isThere = found !== undefined && found !== null && !Number.isNaN(found);
  return {
    what,
    wanted: `${side} ${wanted.toLocaleString("en-US")}`,
    found: isThere ? Number(found.toFixed(digits)).toLocaleString("en-US") : "–",
    reached: isThere ? (side === "at most" ? found <= wanted : found >= wanted) : null,
  };
}

/** The targets of what is stored of members, read and sent live. @param {any[]} runs of any kind @returns {Target[]} */
export function memberTargets(runs) {
  const of = (/** @type {string} */ kind) => runs.filter((run) => run.kind === kind);
  const [stored] = of("members");
  const [read] = of("member-reads");
  const times = (/** @type {string} */ name) => stored?.ingestions[name]?.ofTheLimit.median;
  const received = (/** @type {string} */ name) => stored?.receptions[name];
  const costOf = (/** @type {string} */ name) => {
    const one = stored?.ingestions[name];
    return one === undefined ? undefined : one.node.median + one.postgres.median;
  };
  const cpuOf = (/** @type {string} */ name) => {
    const one = read?.workloads[name];
    return one === undefined ? undefined : one.node.median + one.postgres.median;
  };
  const quotient = (/** @type {number | undefined} */ one, /** @type {number | undefined} */ other) =>
    one === undefined || other === undefined ? undefined : one / other;
  const many = "100 a batch, 100 channels";
  return [
    target("Storing updates, 100 a batch, of the limit", "at least", 0.4, times(many), 2),
    target(
      "Storing updates, 1,000 a batch, of the limit",
      "at least",
      0.55,
      times("1,000 a batch, 100 channels"),
      2,
    ),
    target(
      "Storing updates of one channel, times the cost of a hundred channels'",
      "at most",
      2,
      quotient(costOf("100 a batch, one channel"), costOf(many)),
      2,
    ),
    target("Polling, updates a second", "at least", 10_000, received("polling, 100 channels")?.perSecond, 0),
    target("Webhook, calls a second", "at least", 4000, received("webhook, 100 channels")?.perSecond, 0),
    target(
      "Webhook at 1,000 calls a second, p99 in ms",
      "at most",
      50,
      received("webhook, 1,000 calls a second")?.p99,
      0,
    ),
    ...Object.entries(MEMBER_READ_MS).map(([name, wanted]) => {
      const title = read?.workloads[name]?.title;
      const what = `${name}${title === undefined ? "" : ` (${title})`}, CPU ms of PostgreSQL`;
      return target(what, "at most", wanted, read?.workloads[name]?.postgres.median, 1);
    }),
    ...MEMBER_PAGES.map(([one, other, wanted]) =>
      target(
        `${one}, times the CPU time of ${other}`,
        "at most",
        wanted,
        quotient(cpuOf(one), cpuOf(other)),
        2,
      ),
    ),
    ...of("live").map(({ servers, phases }) => {
      const phase = phases.find((/** @type {any} */ { rate }) => rate === 1000);
      const what = `Live, ${servers === 1 ? "one server" : `${servers} servers`}, 1,000 events a second: p99 from stored to seen, in ms`;
      return target(what, "at most", 100, phase?.storedToSeen.p99, 0);
    }),
  ];
}

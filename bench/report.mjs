// Writes RESULTS.md from results.json. results.json keeps the latest run of each kind and scale.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { comparePair, WORTH_KEEPING } from "./fastPaths.mjs";
import { picture } from "./picture.mjs";
import { bestPeer, cost, measured, ratio, spread } from "./ratios.mjs";
import { candidates } from "./servers.mjs";
import { memberTargets, targetsOf } from "./targets.mjs";
import { WORKLOADS } from "./workloads.mjs";

const file = (/** @type {string} */ name) => new URL(name, import.meta.url);
const CANDIDATES = candidates({});
export const PEERS = Object.keys(CANDIDATES).filter((name) => CANDIDATES[name]?.peer);
/** Scale of the run that comes first in the report. */
const MAIN_LINKS = 500_000;

/** @typedef {any} Run the result of a measure function, with the properties of machine() */

const keyOf = (/** @type {Run} */ { kind, links, servers }) => `${kind} ${links ?? servers}`;

/** @returns {Run[]} in the order of the report: by kind, the main scale first, then from the smallest scale to the largest */
function readResults() {
  if (!existsSync(file("results.json"))) return [];
  const order = (/** @type {Run} */ { kind, links }) => [
    ["server", "fast-paths", "members", "member-reads", "live", "fair", "embedded", "start"].indexOf(kind),
    links === MAIN_LINKS ? 0 : links,
  ];
  return Object.values(JSON.parse(readFileSync(file("results.json"), "utf8"))).sort((a, b) => {
    const [one, other] = [order(a), order(b)];
    return one[0] - other[0] || one[1] - other[1];
  });
}

/** @param {Run} run */
export function addResults(run) {
  const all = Object.fromEntries([...readResults(), run].map((one) => [keyOf(one), one]));
  const rounded = (/** @type {string} */ _, /** @type {unknown} */ value) =>
    typeof value === "number" ? Number(value.toPrecision(5)) : value;
  const exact = new Set(["links", "seed"]);
  const text = JSON.stringify(all, (key, value) => (exact.has(key) ? value : rounded(key, value)), 1);
  writeFileSync(file("results.json"), `${text}\n`);
}

const number = (/** @type {number | null | undefined} */ value, /** @type {number} */ digits) =>
  value == null || Number.isNaN(value) ? "–" : value.toFixed(digits);
const short = (/** @type {number | null | undefined} */ value) =>
  number(value, value == null || value >= 100 ? 0 : value >= 10 ? 1 : 2);
const spreadText = (/** @type {import("./ratios.mjs").Spread | null} */ found) =>
  found === null ? "–" : `${number(found.median, 2)} (${number(found.least, 2)}–${number(found.most, 2)})`;
const grouped = (/** @type {number} */ value) => value.toLocaleString("en-US");

/** @param {readonly (readonly string[])[]} rows the first row is the heading */
const markdown = ([heading = [], ...rows]) =>
  [heading, heading.map((_, column) => (column === 0 ? "---" : "---:")), ...rows]
    .map((row) => `| ${row.join(" | ")} |`)
    .join("\n");

/** @param {import("./measure.mjs").ByCandidate} results */
function workloadTable(results) {
  const limit = measured(results, "limit");
  const best = bestPeer(results, PEERS);
  const rows = Object.entries(results).map(([name, one]) => {
    const { title = name, peer } = CANDIDATES[name] ?? {};
    if ("left" in one) return [title, `left out: ${one.left}`, ...new Array(9).fill("")];
    const own = name !== "limit" && !peer;
    return [
      own ? `**${title}**` : title,
      short(spread(one.rates).median),
      short(one.p50),
      short(one.p99),
      short(one.calmP99),
      short(one.nodeCpu),
      short(one.postgresCpu),
      number(one.statements, 1),
      number(one.rows, 0),
      name === "limit" ? "1" : spreadText(ratio(one, limit)),
      own && best !== null ? spreadText(ratio(one, best.one)) : "",
    ];
  });
  return markdown([
    [
      "",
      "requests/s",
      "p50 ms",
      "p99 ms",
      "p99 ms at half load",
      "CPU ms Node.js",
      "CPU ms PostgreSQL",
      "statements",
      "rows read",
      "times the limit",
      "times the best peer",
    ],
    ...rows,
  ]);
}

/** @param {Run} run */
const memoryTable = ({ memory }) =>
  markdown([
    ["memory of the server's process, MB", "at rest", "after all loads", "maximum"],
    ...Object.entries(memory).map(([name, one]) => [
      CANDIDATES[name]?.title ?? name,
      number(one.atRest, 0),
      number(one.now, 0),
      number(one.most, 0),
    ]),
  ]);

/** @param {Run} run */
function startTables({ forms, installed }) {
  const parts = (/** @type {[string, number][]} */ list, /** @type {string} */ unit) =>
    list.map(([name, value]) => `${name} ${number(value, 0)}${unit}`).join(", ");
  const rows = Object.entries(forms).map(([name, { ready, memory, profile }]) => [
    name,
    `${number(ready.median, 0)} (${number(ready.least, 0)}–${number(ready.most, 0)})`,
    parts(profile, " ms"),
    number(memory.resident, 0),
    parts(Object.entries(memory).slice(1), " MB"),
  ]);
  return [
    markdown([
      [
        "database",
        "ms until ready",
        "largest shares of CPU time, under the profiler",
        "MB at rest",
        "of these",
      ],
      ...rows,
    ]),
    `Installed size without development dependencies: ${number(installed.all, 0)} MB. The largest packages: ${parts(installed.most, " MB")}.`,
  ].join("\n\n");
}

/** @param {Run} run */
function membersTable({ links, members, rounds, count, commit, at, ingestions, receptions }) {
  const rows = Object.entries(
    /** @type {Record<string, import("./members.mjs").Ingested>} */ (ingestions),
  ).map(([name, { node, postgres, ofTheLimit, perSecond }]) => [
    name,
    number(node.median, 0),
    number(postgres.median, 0),
    `${number(ofTheLimit.median, 2)} (${number(ofTheLimit.least, 2)}–${number(ofTheLimit.most, 2)})`,
    grouped(Math.round(perSecond.median)),
  ]);
  return [
    "## Storing Telegram's updates",
    `${grouped(links)} links in 100 channels with ${grouped(members)} members. The limit inserts 100 rows a statement into a table with two keys, (channel, sequence) and (bot, update id). ${rounds} rounds of ${grouped(count)} updates each, in turn; commit ${commit ?? "unknown"}, ${at.slice(0, 10)}. Wanted: 0.4 of the limit at 100 a batch, 0.55 at 1,000; one channel at most twice the cost of a hundred.`,
    markdown([
      ["", "Node.js µs", "PostgreSQL µs", "of the limit", "updates a second, one batch after another"],
      ...rows,
    ]),
    "Received from a Bot API server on the same machine that always has updates, by polling, by 50 webhook calls at a time, and by webhook calls at a rate:",
    markdown([
      ["", "Node.js µs", "PostgreSQL µs", "updates a second", "p50 / p99 ms until acknowledged"],
      ...Object.entries(/** @type {Record<string, import("./members.mjs").Received>} */ (receptions)).map(
        ([name, { node, postgres, perSecond, median, p99 }]) => [
          name,
          number(node, 0),
          number(postgres, 0),
          grouped(Math.round(perSecond)),
          median === null || p99 === null ? "–" : `${short(median)} / ${short(p99)}`,
        ],
      ),
    ]),
  ].join("\n\n");
}

/** @param {Run} run */
function memberReadsTable({ links, members, inChannel, rounds, slice, seed, commit, at, workloads }) {
  const first = workloads.W1;
  const cpu = (/** @type {any} */ { node, postgres }) => node.median + postgres.median;
  const rows = Object.entries(workloads).map(([name, one]) => [
    `${name}: ${one.title}`,
    short(one.node.median),
    short(one.postgres.median),
    short(one.milliseconds.median),
    short(cpu(one) / cpu(first)),
  ]);
  return [
    "## Reading the numbers of members",
    `${grouped(links)} links, ${grouped(inChannel)} of them with ${grouped(members)} memberships in the channel that is read. Medians of ${rounds} rounds of ${slice / 1000} s, two requests at a time, seed ${seed}; commit ${commit ?? "unknown"}, ${at.slice(0, 10)}. Wanted, in PostgreSQL's milliseconds: series 50, groups 200, retention 300, under tag groups within five times that; totals 100, under tag groups near 300; a page with numbers at most 1.25 times W1; M2, M3 and M4 as M2n, M3n and M4n, which are ordered by name.`,
    markdown([
      ["", "CPU ms Node.js", "CPU ms PostgreSQL", "ms until the answer", "times the CPU time of W1"],
      ...rows,
    ]),
  ].join("\n\n");
}

/** @param {Run} run */
function liveTable({ servers, channels, subscribers, milliseconds, commit, at, phases }) {
  const rows = phases.map(
    (/** @type {any} */ { rate, events, missing, sentToStored, storedToSeen, cpuOfServers }) => [
      grouped(rate),
      grouped(Math.round((events * 1000) / milliseconds)),
      `${missing}`,
      `${short(sentToStored.p50)} / ${short(sentToStored.p99)}`,
      `${short(storedToSeen.p50)} / ${short(storedToSeen.p99)}`,
      number(cpuOfServers, 2),
    ],
  );
  return [
    `## Live: subscribers on ${servers === 1 ? "one server" : `${servers} servers`}`,
    `${grouped(subscribers)} subscribers of ${channels} channels. Each update is a webhook call, and each event goes to ${subscribers / channels} subscribers. Each row was measured for ${milliseconds / 1000} s, with Telegram, the subscribers, the servers and PostgreSQL on this machine; commit ${commit ?? "unknown"}, ${at.slice(0, 10)}. Wanted: a p99 of 100 ms from stored to seen at 1,000 events a second.`,
    markdown([
      [
        "events a second wanted",
        "events a second sent",
        "missing",
        "sent to stored, p50 / p99 ms",
        "stored to seen, p50 / p99 ms",
        "cores the servers used",
      ],
      ...rows,
    ]),
  ].join("\n\n");
}

/** @param {Run} run */
function fairTable({ links, inChannel, aliases, milliseconds, commit, at, phases }) {
  const row = (
    /** @type {string} */ title,
    /** @type {import("./fair.mjs").Fairness} */ {
      creations,
      failed,
      p50,
      p99,
      most,
      ready,
      unready,
      answered,
      refused,
    },
  ) => [
    title,
    `${creations}`,
    `${failed}`,
    short(p50),
    short(p99),
    short(most),
    `${unready} of ${ready + unready}`,
    `${answered}`,
    `${refused}`,
  ];
  return [
    "## W8: creations beside another caller's costly reads",
    `${grouped(links)} links, ${grouped(inChannel)} of them in the channel. One caller creates links one after another. Another caller sends four documents at a time. Each document has ${aliases} aliased lists with totalCount, totals and facets, filtered by name, isBotCreated and five groups of twenty tags; this is the costliest such document that the server accepts. Each row was measured for ${milliseconds / 1000} s; commit ${commit ?? "unknown"}, ${at.slice(0, 10)}.`,
    markdown([
      [
        "",
        "creations",
        "failed creations",
        "p50 ms",
        "p99 ms",
        "maximum ms",
        "failed probes",
        "documents answered",
        "documents with errors",
      ],
      row("creations alone", phases.alone),
      row("beside the reads", phases.beside),
    ]),
  ].join("\n\n");
}

/** @param {Run} run */
function fastPathTables({ links, rounds, slice, connections, seed, commit, at, paths }) {
  const rows = Object.entries(paths).flatMap(([name, workloads]) =>
    Object.entries(workloads).map(([workload, results]) => {
      const pair = comparePair(results, name);
      if (pair === null) return [name, workload, "–", "–", "–"];
      const cpu = (/** @type {"all" | "without"} */ side) =>
        `${short(pair[side].node)} (${short(pair[side].postgres)})`;
      const { median, least, most } = pair.times;
      const text = number(median, 2);
      const times = median >= WORTH_KEEPING ? `**${text}**` : text;
      return [
        name,
        workload,
        cpu("all"),
        cpu("without"),
        `${times} (${number(least, 2)} to ${number(most, 2)})`,
      ];
    }),
  );
  const measuredWorkloads = [...new Set(Object.values(paths).flatMap((workloads) => Object.keys(workloads)))];
  return [
    "## What each fast path saves",
    `CPU milliseconds of Node.js for one request, and of PostgreSQL in brackets, with all fast paths and without one of them: ${grouped(links)} links, the medians of ${rounds} rounds of ${slice / 1000} s for each server, at most ${connections} connections, seed ${seed}; commit ${commit ?? "unknown"}, ${at.slice(0, 10)}. Command: \`npm run bench -- --only fast-paths\`.`,
    `The last column has the multiples of the CPU time of both: the median of the rounds, the least and the most. Bold: at least ${WORTH_KEEPING}. A fast path without a bold figure is to be deleted, unless its note in docs/decisions/ has one for another scale or for a longer run.`,
    markdown([["fast path", "workload", "with", "without", "times"], ...rows]),
    measuredWorkloads.map((name) => `- ${name}: ${WORKLOADS[name]?.title}`).join("\n"),
  ].join("\n\n");
}

/** A run as Markdown. @param {Run} run */
export function table(run) {
  if (run.kind === "fast-paths") return fastPathTables(run);
  if (run.kind === "fair") return fairTable(run);
  if (run.kind === "members") return membersTable(run);
  if (run.kind === "member-reads") return memberReadsTable(run);
  if (run.kind === "live") return liveTable(run);
  if (run.kind === "start") return `## Start and size\n\n${startTables(run)}`;
  const title =
    run.kind === "embedded"
      ? `The embedded database, ${grouped(run.links)} links`
      : `${grouped(run.links)} links on a PostgreSQL server`;
  const environment = Object.entries(run.environment).map(([name, value]) => `${name}=${value}`);
  const about = `${run.rounds} rounds of ${run.slice / 1000} s for each server, ${run.connections} connections, seed ${run.seed}; commit ${run.commit ?? "unknown"}, ${run.at.slice(0, 10)}${environment.length > 0 ? `; this server with ${environment.join(" ")}` : ""}.`;
  const workloads = Object.entries(run.workloads).map(
    ([name, results]) =>
      `### ${name}: ${WORKLOADS[name]?.title}\n\n${workloadTable(/** @type {any} */ (results))}`,
  );
  return [`## ${title}`, about, ...workloads, memoryTable(run)].join("\n\n");
}

/** The cost of a request at each scale. @param {Run[]} runs */
function scales(runs) {
  const sorted = [...runs].sort((a, b) => a.links - b.links);
  if (sorted.length < 2) return [];
  const rows = ["W1", "W1c", "W2", "W3", "W4", "W4n", "W5", "W6"].map((name) => [
    name,
    ...sorted.map(({ workloads }) => {
      const one = measured(workloads[name], "ours");
      return one === null ? "–" : short(cost(one));
    }),
  ]);
  return [
    "## Cost by number of links",
    "CPU milliseconds of one request to this server, Node.js and PostgreSQL together, by the number of links. A fifth of the links is in the largest channel.",
    markdown([["", ...sorted.map(({ links }) => grouped(links))], ...rows]),
  ];
}

/** @param {Run} run */
function circumstances({ machine, versions, postgres, flags }) {
  const list = (/** @type {Record<string, string>} */ all) =>
    Object.entries(all)
      .map(([name, value]) => `${name} ${value}`)
      .join(", ");
  return `${machine.cores} cores (${machine.cpu}), ${machine.memory}, ${machine.system}; all processes on this machine, PostgreSQL over TCP.
Node.js runs every server with \`${flags}\`. Versions: ${list(versions)}. Settings of PostgreSQL that differ from its
defaults: ${list(postgres)}.`;
}

const INTRODUCTION = `# What a request costs

\`npm run bench\` writes this file. It prepares data in \`bench/.data\` and servers in \`bench/peers\`, then measures.
\`npm run bench -- --help\` lists its options; results of another \`--scale\` are added to those already here. The exact
numbers are in results.json.

- **The limit** is a minimal server of node:http and pg. It sends one statement, in which PostgreSQL writes the JSON, and
  forwards the result. It works on plain tables with the indexes that its statements need (data/plain.sql).
- **This server** runs as in production: \`invite-links serve\` with an API token, limits, a log (to a file) and metrics, on
  its own tables.
- **The peers** work on the plain tables, each as its own guide recommends: hand-written SQL and loaders for Mercurius, the
  schema that PostGraphile derives from the tables, \`include\` for Apollo Server with Prisma. A peer is missing from a table
  if its schema cannot express the workload.
- Every server opens at most ten sessions of PostgreSQL. This server opens four more, its pipelined sessions. Before each
  workload, the rows of all servers are compared and must be equal.
- All servers run at once and get short slices of load in rotation. "times the limit" and "times the best peer" compare
  requests per second within one round; the tables show the median and, in brackets, the smallest and largest round. Every
  response is checked.
- "p99 ms at half load": the limit and this server get half of the highest load that both bear, at even distances, on
  connections that were used before. A request that finds all connections busy counts from the time at which it should have
  been sent.
- Statements (BEGIN and COMMIT included) and rows are counted in the protocol between server and PostgreSQL, before the load.
  CPU time is the system's measure for the server's process and for all processes of PostgreSQL.
`;

export function writeReport() {
  const runs = readResults();
  const servers = runs.filter(({ kind }) => kind === "server");
  const [main] = servers;
  const parts = [INTRODUCTION];
  if (main !== undefined) {
    parts.push(circumstances(main));
    writeFileSync(file("results.svg"), picture(main));
    parts.push(
      `![Requests per second as multiples of the limit's, at ${grouped(main.links)} links](results.svg)`,
    );
    const targets = [...targetsOf(servers, PEERS), ...memberTargets(runs)].map(
      ({ what, wanted, found, reached }) => [
        what,
        wanted,
        found,
        reached === null ? "not measured" : reached ? "yes" : "**no**",
      ],
    );
    parts.push("## Targets", markdown([["", "target", "measured", "reached"], ...targets]));
  }
  parts.push(...runs.slice(0, 1).map(table), ...scales(servers), ...runs.slice(1).map(table));
  writeFileSync(file("RESULTS.md"), `${parts.join("\n\n").replace(/\n{3,}/g, "\n\n")}\n`);
}

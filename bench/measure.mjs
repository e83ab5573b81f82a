// One measurement: all servers run at once and get short slices of load in rotation. One slice of each server is a round,
// so that results of the same round can be compared although the machine's speed changes.

import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { restore, withDatabase } from "./data.mjs";
import { percentile } from "./latencies.mjs";
import { cpuOf, cpuOfPostgres, memoryOf, postmasterOf } from "./processes.mjs";
import { spread } from "./ratios.mjs";
import { Running, startTelegram } from "./servers.mjs";
import { countingWire } from "./wire.mjs";
import { picker, WORKLOADS } from "./workloads.mjs";

/** @typedef {import("./workloads.mjs").Facts} Facts */
/** @typedef {import("./workloads.mjs").Workload} Workload */
/** @typedef {import("./workloads.mjs").Variables} Variables */
/** @typedef {import("./servers.mjs").Candidate} Candidate */
/** @typedef {import("./servers.mjs").Where} Where */

/** Approximate number of links from which requests for one link are drawn. */
const LINKS_SAMPLE = 5000;
/** Different requests of a workload, sent in turn. */
const REQUESTS = 200;
/** Requests whose rows are compared between the servers, and whose statements are counted. */
const SAMPLE = 10;
/** A server that takes longer for a single request is left out of the workload. */
const MAX_SINGLE_MS = 3000;

/**
 * The results of one candidate in one workload. Times are in milliseconds.
 * @typedef {object} Measured
 * @property {number[]} rates responses per second, by round
 * @property {number} p50
 * @property {number} p99
 * @property {number | null} calmP99 at half of the highest load that this server and the limit both bear; null: not measured
 * @property {number} nodeCpu CPU time of the server's process for one response
 * @property {number} postgresCpu CPU time of all processes of PostgreSQL for one response
 * @property {number[]} nodeCpuByRound
 * @property {number[]} postgresCpuByRound
 * @property {number} statements for one response; NaN if they were not counted
 * @property {number} rows that PostgreSQL sent for one response; NaN if they were not counted
 *
 * @typedef {Record<string, Measured | { left: string }>} ByCandidate `left`: why the candidate was left out
 *
 * @typedef {object} Options
 * @property {Record<string, Candidate>} candidates
 * @property {string[]} workloads
 * @property {number} rounds
 * @property {number} slice milliseconds
 * @property {number} connections
 * @property {{ answers: number, milliseconds: number }} warming responses before the first round, and the most time for
 *   them: V8 has compiled the server's code after some thousand responses
 * @property {number} seed
 * @property {boolean} [countsStatements] default: true
 * @property {(line: string) => void} say
 */

/** @param {string} url @returns {Promise<Facts>} */
export const readFacts = (url) =>
  withDatabase(url, async (execute) => {
    const channels = await execute(`
      select c.chat_id::text as id, (select count(*)::int from invite_link where channel_id = c.id) as links,
        (select json_agg(json_build_object('id', t.id, 'typeId', t.type_id) order by t.id) from tag t
          where t.channel_id = c.id) as tags
      from channel c order by links desc, c.id`);
    const all = channels.reduce((sum, channel) => sum + channel["links"], 0);
    // Chosen by the random last digits of their ids, so that each run draws the same links.
    const links = await execute(`
      select l.id, c.chat_id::text as channel from invite_link l join channel c on c.id = l.channel_id
      where ('x' || right(l.id::text, 6))::bit(24)::int < ${Math.ceil((2 ** 24 * LINKS_SAMPLE) / all)} order by l.id`);
    return {
      channels: channels.map(({ id, links: count, tags }) => ({ channelId: Number(id), links: count, tags })),
      links: links.map(({ id, channel }) => ({ id, channelId: Number(channel) })),
    };
  });

class Load {
  #process = fork(fileURLToPath(new URL("load.mjs", import.meta.url)));

  /** @param {import("./load.mjs").Order} order @returns {Promise<import("./load.mjs").Slice>} */
  async run(order) {
    this.#process.send(order);
    const [slice] = await once(this.#process, "message");
    return slice;
  }

  end() {
    this.#process.disconnect();
  }
}

/**
 * A candidate's requests of a workload. Each server has cursors of its own, which are read from numbered pages first.
 * @param {Running} server
 * @param {string} name
 * @param {readonly Variables[]} drawn
 */
async function requestsOf(server, name, drawn) {
  const { candidate } = server;
  const workload = /** @type {Workload} */ (WORKLOADS[name]);
  if (name !== "W4") return drawn.map((variables) => candidate.request(workload, name, variables));
  const byNumber = /** @type {Workload} */ (WORKLOADS["W4n"]);
  /** @type {Map<number, string>} */
  const cursors = new Map();
  for (const variables of drawn) {
    const { page } = variables;
    if (cursors.has(page)) continue;
    const { inviteLinks } = await server.ask(candidate.request(byNumber, "W4n", variables));
    cursors.set(page, inviteLinks.pageInfo.endCursor);
  }
  return drawn.map(({ channelId, first, page }) =>
    candidate.request(workload, name, { channelId, first, after: cursors.get(page) }),
  );
}

/** @param {string} name @param {Facts} facts @param {number} seed */
function draw(name, facts, seed) {
  const pick = picker(seed * 1000 + Object.keys(WORKLOADS).indexOf(name));
  return Array.from({ length: REQUESTS }, () => /** @type {Workload} */ (WORKLOADS[name]).draw(facts, pick));
}

/**
 * Checks that all servers give the same rows.
 * @param {string} name
 * @param {{ server: Running, requests: { path: string, body: object | null }[] }[]} asked
 */
async function compare(name, asked) {
  const { rows, writes } = /** @type {Workload} */ (WORKLOADS[name]);
  for (let index = 0; index < (writes ? 1 : SAMPLE); index += 1) {
    const answers = [];
    for (const { server, requests } of asked) {
      const request = /** @type {{ path: string, body: object | null }} */ (requests[index]);
      answers.push({ server, rows: rows(await server.ask(request)) });
    }
    const [first, ...others] = answers;
    for (const other of others) {
      assert.deepEqual(
        other.rows,
        first?.rows,
        `${name}: ${other.server.name} and ${first?.server.name} give different rows`,
      );
    }
  }
}

/**
 * Counts the statements and rows of a candidate's requests with a server of its own. Each request is sent three times, and
 * the smallest count is used: the first time prepares statements, and background work can add statements at any time.
 * @param {string} name
 * @param {Candidate} candidate
 * @param {Where} where
 * @param {readonly string[]} workloads
 * @param {Facts} facts
 * @param {number} seed
 */
async function countOnWire(name, candidate, where, workloads, facts, seed) {
  const wire = await countingWire(where.databaseUrl);
  const server = await Running.start(name, candidate, { ...where, databaseUrl: wire.url });
  /** @type {Record<string, { statements: number, rows: number }>} */
  const counted = {};
  try {
    for (const workload of workloads) {
      if (!candidate.can(/** @type {Workload} */ (WORKLOADS[workload]), workload)) continue;
      const requests = (await requestsOf(server, workload, draw(workload, facts, seed))).slice(0, SAMPLE);
      const sum = { statements: 0, rows: 0 };
      for (const request of requests) {
        let least = { statements: Number.POSITIVE_INFINITY, rows: Number.POSITIVE_INFINITY };
        for (let time = 0; time < 3; time += 1) {
          const before = { ...wire.counts };
          await server.ask(request);
          const statements = wire.counts.statements - before.statements;
          const rows = wire.counts.rows - before.rows;
          if (statements < least.statements || (statements === least.statements && rows < least.rows))
            least = { statements, rows };
        }
        sum.statements += least.statements / requests.length;
        sum.rows += least.rows / requests.length;
      }
      counted[workload] = sum;
    }
  } finally {
    await server.stop();
    wire.close();
  }
  return counted;
}

/**
 * @param {string} databaseUrl
 * @param {{ dataDir: string, telegramUrl?: URL }} where
 * @param {Options} options
 */
export async function measure(databaseUrl, { dataDir }, options) {
  const { candidates, workloads, say } = options;
  const facts = await readFacts(databaseUrl);
  const postmaster = await withDatabase(databaseUrl, async (execute) => {
    const [row] = await execute("select pg_backend_pid() as pid");
    return postmasterOf(row?.["pid"]);
  });
  const telegram = startTelegram();
  const load = new Load();
  /** @type {Running[]} */
  const servers = [];
  try {
    const where = { databaseUrl, dataDir, telegram: await telegram.ready() };
    /** @type {Record<string, Record<string, { statements: number, rows: number }>>} */
    const counts = {};
    for (const [name, candidate] of Object.entries(candidates)) {
      if (candidate.embedded || options.countsStatements === false) continue;
      say(`counting the statements of ${name}`);
      counts[name] = await countOnWire(name, candidate, where, workloads, facts, options.seed);
    }
    if (workloads.some((name) => WORKLOADS[name]?.writes)) await restore(databaseUrl);
    for (const [name, candidate] of Object.entries(candidates)) {
      servers.push(await Running.start(name, candidate, where));
    }
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const atRest = servers.map(({ server }) => memoryOf(server.pid).now);

    /** @type {Record<string, ByCandidate>} */
    const results = {};
    for (const names of rotations(workloads)) {
      const measured = await measureTogether(names, {
        ...options,
        servers,
        facts,
        load,
        postmaster,
        counts,
      });
      Object.assign(results, measured);
      if (names.some((name) => WORKLOADS[name]?.writes)) await restore(databaseUrl);
    }
    const memory = Object.fromEntries(
      servers.map(({ name, server }, index) => [
        name,
        { atRest: /** @type {number} */ (atRest[index]), ...memoryOf(server.pid) },
      ]),
    );
    return { workloads: Object.fromEntries(workloads.map((name) => [name, results[name]])), memory };
  } finally {
    for (const server of servers) await server.stop();
    await telegram.stop();
    load.end();
  }
}

/** Groups workloads that share their rounds: a workload with `comparedTo` is measured together with that one. @param {string[]} workloads */
function rotations(workloads) {
  const comparedTo = (/** @type {string} */ name) => WORKLOADS[name]?.comparedTo ?? "";
  return workloads
    .filter((name) => !workloads.includes(comparedTo(name)))
    .map((name) => [name, ...workloads.filter((other) => comparedTo(other) === name)]);
}

/**
 * @typedef {Options & { servers: Running[], facts: Facts, load: Load, postmaster: number | null,
 *   counts: Record<string, Record<string, { statements: number, rows: number }>> }} Context
 * @typedef {{ name: string, server: Running, order: import("./load.mjs").Order, slices: Sliced[],
 *   calm: number[][] }} Racer
 */

/**
 * Prepares the requests of the servers that can do a workload, after checking that their rows are the same. `left` has the
 * servers that are too slow.
 * @param {string} name
 * @param {Context} context
 */
async function prepareRace(name, { servers, facts, seed, say, ...context }) {
  const workload = /** @type {Workload} */ (WORKLOADS[name]);
  const connections = Math.min(context.connections, workload.connections ?? context.connections);
  const drawn = draw(name, facts, seed);
  say(`${name}: ${workload.title}`);

  const asked = [];
  for (const server of servers) {
    if (!server.candidate.can(workload, name)) continue;
    asked.push({ server, requests: await requestsOf(server, name, drawn) });
  }
  await compare(name, asked);

  /** @type {Record<string, { left: string }>} */
  const left = {};
  /** @type {Racer[]} */
  const racing = [];
  for (const { server, requests } of asked) {
    const started = performance.now();
    await server.ask(/** @type {{ path: string, body: object | null }} */ (requests[0]));
    const took = performance.now() - started;
    if (took > MAX_SINGLE_MS) {
      left[server.name] = { left: `one request takes ${(took / 1000).toFixed(1)} s` };
      continue;
    }
    const order = {
      port: server.port,
      requests: requests.map((request) => server.wire(request)),
      connections,
      milliseconds: context.slice,
      writes: workload.writes === true,
    };
    racing.push({ name, server, order, slices: [], calm: [] });
  }
  return { left, racing };
}

/**
 * @param {readonly string[]} names workloads
 * @param {Context} context
 * @returns {Promise<Record<string, ByCandidate>>}
 */
async function measureTogether(names, context) {
  const { load, postmaster, counts, rounds, warming } = context;
  /** @type {Record<string, ByCandidate>} */
  const results = {};
  /** @type {Racer[]} */
  const racing = [];
  for (const name of names) {
    const race = await prepareRace(name, context);
    results[name] = race.left;
    racing.push(...race.racing);
  }

  /** @param {Racer} racer */
  const run = async ({ name, server, order }) => {
    const before = { node: cpuOf(server.server.pid), postgres: cpuOfPostgres(postmaster) };
    const done = await load.run(order);
    if (done.failure !== null) throw new Error(`${name}: ${server.name}: ${done.failure}`);
    return {
      ...done,
      node: cpuOf(server.server.pid) - before.node,
      postgres: cpuOfPostgres(postmaster) - before.postgres,
    };
  };
  for (const racer of racing) {
    const started = performance.now();
    for (let answers = 0; answers < warming.answers && performance.now() - started < warming.milliseconds; ) {
      answers += (await run(racer)).answers;
    }
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const racer of racing) racer.slices.push(await run(racer));
  }

  for (const name of names)
    await measureCalm(
      racing.filter((racer) => racer.name === name),
      run,
      rounds,
    );

  for (const { name, server, slices, calm } of racing) {
    const answers = slices.reduce((sum, one) => sum + one.answers, 0);
    const each = (/** @type {"node" | "postgres"} */ key) =>
      slices.reduce((sum, one) => sum + one[key], 0) / answers;
    const byRound = (/** @type {"node" | "postgres"} */ key) => slices.map((one) => one[key] / one.answers);
    const latencies = slices.map((one) => one.latencies);
    const counted = counts[server.name]?.[name];
    /** @type {ByCandidate} */ (results[name])[server.name] = {
      rates: slices.map((one) => (one.answers * 1000) / one.milliseconds),
      p50: percentile(latencies, 0.5),
      p99: percentile(latencies, 0.99),
      calmP99: calm.length === 0 ? null : percentile(calm, 0.99),
      nodeCpu: each("node"),
      postgresCpu: each("postgres"),
      nodeCpuByRound: byRound("node"),
      postgresCpuByRound: byRound("postgres"),
      statements: counted?.statements ?? Number.NaN,
      rows: counted?.rows ?? Number.NaN,
    };
  }
  return results;
}

/** @typedef {import("./load.mjs").Slice & { node: number, postgres: number }} Sliced */

/** Enough that a request at half load seldom has to wait for a free connection. */
const CALM_CONNECTIONS = 32;

/**
 * Sends this server and the limit half of the highest load that both bear, in rotation, and adds the latencies to `calm`.
 * @param {readonly Racer[]} racing of one workload
 * @param {(racer: Racer) => Promise<Sliced>} run
 * @param {number} rounds
 */
async function measureCalm(racing, run, rounds) {
  const compared = racing.filter(({ server }) => server.name === "limit" || server.name === "ours");
  // The limit stores a row where this server creates a link in Telegram.
  if (compared.length < 2 || compared.some(({ order }) => order.writes)) return;
  const highest = compared.map(
    ({ slices }) => spread(slices.map((one) => (one.answers * 1000) / one.milliseconds)).median,
  );
  const perSecond = Math.min(...highest) / 2;
  for (let round = 0; round < rounds; round += 1) {
    for (const racer of compared) {
      const { latencies } = await run({
        ...racer,
        order: { ...racer.order, perSecond, connections: CALM_CONNECTIONS },
      });
      racer.calm.push(latencies);
    }
  }
}

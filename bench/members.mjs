// The part `members`: what storing an update costs, in CPU time of Node.js and PostgreSQL together, beside the limit: 100 rows
// an INSERT … unnest into a table with its two keys, (channel, sequence) and (bot, update id). All get slices in turn.

import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "../tools/postgres.mjs";
import { withDatabase } from "./data.mjs";
import { percentile } from "./latencies.mjs";
import { machine } from "./machine.mjs";
import { prepareMembers } from "./membersData.mjs";
import {
  checkCounts,
  cpuOf,
  cpuOfPostgres,
  postmasterOf,
  ServerProcess,
  startThisServer,
  V8_FLAGS,
} from "./processes.mjs";
import { spread } from "./ratios.mjs";
import { telegramEnvironment } from "./servers.mjs";
import { CHANNELS, LINKS, MEMBERS } from "./updates.mjs";

/** @typedef {import("./ingestion.mjs").Slice} Slice */
/** @typedef {import("./ratios.mjs").Spread} Spread */

/** @type {Record<string, Omit<Slice, "count">>} */
export const INGESTIONS = {
  limit: { kind: "limit", batch: 100, channels: CHANNELS },
  "100 a batch, 100 channels": { kind: "ours", batch: 100, channels: CHANNELS },
  "1,000 a batch, 100 channels": { kind: "ours", batch: 1000, channels: CHANNELS },
  "100 a batch, one channel": { kind: "ours", batch: 100, channels: 1 },
  "1,000 a batch, one channel": { kind: "ours", batch: 1000, channels: 1 },
  "100 a batch, 100 channels, a webhook told of all": {
    kind: "ours",
    batch: 100,
    channels: CHANNELS,
    isTold: true,
  },
  "1,000 a batch, 100 channels, a webhook told of all": {
    kind: "ours",
    batch: 1000,
    channels: CHANNELS,
    isTold: true,
  },
};
/** Updates of a slice. Shorter ones would be measured badly: CPU time is counted in hundredths of a second. */
const COUNT = 10_000;
/** Updates before the first slice, so that each page that is written to has been written once since the last checkpoint. */
const WARMING = 30_000;

/** The main process of a PostgreSQL server; null if it is not on this machine. @param {string} url */
const postmasterAt = (url) =>
  withDatabase(url, async (execute) => {
    const [row] = await execute("select pg_backend_pid() as pid");
    return postmasterOf(Number(row?.["pid"]));
  });

/**
 * @typedef {{ node: Spread, postgres: Spread, ofTheLimit: Spread, perSecond: Spread }} Ingested microseconds of CPU time an
 *   update, how many updates are stored in the time in which the limit stores one, and updates a second, one batch after
 *   another
 */

/**
 * @typedef {{ node: number, postgres: number, perSecond: number, median: number | null, p99: number | null }} Received
 *   microseconds of CPU time an update, the rate, and by webhook the milliseconds from when Telegram has an update until it
 *   is acknowledged
 */

/**
 * How fast this server receives updates from a Bot API server that always has some.
 * @param {string} url of the database
 * @param {{ isWebhook: boolean, channels: number, rate?: number, first: number, postmaster: number | null,
 *   milliseconds: number }} options
 * @returns {Promise<Received>}
 */
async function receive(url, { isWebhook, channels, rate = 0, first, postmaster, milliseconds }) {
  const script = fileURLToPath(new URL("updatesTelegram.mjs", import.meta.url));
  const telegram = new ServerProcess([script], {
    CHANNELS: `${channels}`,
    FIRST: `${first}`,
    RATE: `${rate}`,
  });
  const port = await freePort();
  const origin = await telegram.ready();
  const server = startThisServer({
    ...telegramEnvironment(origin),
    DATABASE_URL: url,
    PORT: `${port}`,
    TELEGRAM_UPDATES: isWebhook ? "webhook" : "polling",
    ...(isWebhook && {
      TELEGRAM_WEBHOOK_URL: `http://127.0.0.1:${port}/telegram/webhook`,
      TELEGRAM_WEBHOOK_SECRET: "the-secret-of-the-benchmark",
    }),
  });
  const now = async () => ({
    at: performance.now(),
    acknowledged: await (await fetch(new URL("/acknowledged", origin))).json(),
    node: cpuOf(server.pid),
    postgres: cpuOfPostgres(postmaster),
  });
  try {
    await server.ready();
    // Both processes warm up.
    await delay(milliseconds);
    const [before, after] = [await now(), await delay(milliseconds).then(now)];
    const count = after.acknowledged.count - before.acknowledged.count;
    return {
      node: ((after.node - before.node) * 1000) / count,
      postgres: ((after.postgres - before.postgres) * 1000) / count,
      perSecond: (count * 1000) / (after.at - before.at),
      median: isWebhook ? percentile([after.acknowledged.latencies], 0.5) : null,
      p99: isWebhook ? percentile([after.acknowledged.latencies], 0.99) : null,
    };
  } finally {
    await server.stop();
    await telegram.stop();
  }
}

const RECEPTIONS = {
  "polling, 100 channels": { isWebhook: false, channels: CHANNELS },
  "polling, one channel": { isWebhook: false, channels: 1 },
  "webhook, 100 channels": { isWebhook: true, channels: CHANNELS },
  "webhook, one channel": { isWebhook: true, channels: 1 },
  "webhook, 1,000 calls a second": { isWebhook: true, channels: CHANNELS, rate: 1000 },
};
/** Milliseconds in which updates are received to warm up, and then to measure. */
const RECEPTION_MS = 5000;

/**
 * @param {string} server
 * @param {{ rounds: number, say: (line: string) => void }} options
 */
export async function measureMembers(server, { rounds, say }) {
  const url = await prepareMembers(server, say);
  const main = await postmasterAt(url);
  const child = fork(fileURLToPath(new URL("ingestion.mjs", import.meta.url)), {
    env: { ...process.env, DATABASE_URL: url, NODE_OPTIONS: V8_FLAGS },
  });
  const run = async (/** @type {Slice} */ slice) => {
    const before = cpuOfPostgres(main);
    const answered = once(child, "message");
    child.send(slice);
    const [{ count, milliseconds, cpu }] = await answered;
    const postgres = ((cpuOfPostgres(main) - before) * 1000) / count;
    return { node: (cpu * 1000) / count, postgres, perSecond: (count * 1000) / milliseconds };
  };
  try {
    say("storing updates");
    for (const { kind, channels } of Object.values(INGESTIONS).slice(0, 2))
      await run({ kind, channels, batch: 1000, count: WARMING });
    for (const one of Object.values(INGESTIONS)) await run({ ...one, count: COUNT / 2 });
    /** @type {Record<string, Awaited<ReturnType<typeof run>>[]>} */
    const found = {};
    for (let round = 0; round < rounds; round += 1) {
      for (const [name, one] of Object.entries(INGESTIONS)) {
        found[name] = [...(found[name] ?? []), await run({ ...one, count: COUNT })];
      }
    }
    child.disconnect();
    await once(child, "exit");
    /** @type {Record<string, Received>} */
    const receptions = {};
    for (const [index, [name, reception]] of Object.entries(RECEPTIONS).entries()) {
      say(name);
      const first = (index + 1) * 10_000_000;
      const options = { ...reception, first, postmaster: main, milliseconds: RECEPTION_MS };
      receptions[name] = await receive(url, options);
    }
    const differences = await checkCounts({ DATABASE_URL: url });
    if (differences !== "") throw new Error(`The counts are wrong: ${differences}`);
    const limits = found["limit"] ?? [];
    /** @type {Record<string, Ingested>} */
    const ingestions = Object.fromEntries(
      Object.entries(found).map(([name, slices]) => [
        name,
        {
          node: spread(slices.map(({ node }) => node)),
          postgres: spread(slices.map(({ postgres }) => postgres)),
          perSecond: spread(slices.map(({ perSecond }) => perSecond)),
          ofTheLimit: spread(
            slices.map(({ node, postgres }, round) => {
              const limit = limits[round];
              return limit === undefined ? Number.NaN : (limit.node + limit.postgres) / (node + postgres);
            }),
          ),
        },
      ]),
    );
    const links = CHANNELS * LINKS;
    return {
      kind: "members",
      links,
      members: CHANNELS * MEMBERS,
      rounds,
      count: COUNT,
      ...(await machine(url)),
      ingestions,
      receptions,
    };
  } finally {
    if (child.exitCode === null) child.kill();
  }
}

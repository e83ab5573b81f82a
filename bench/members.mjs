// The part `members`: what storing an update costs, in CPU time of Node.js and PostgreSQL together, beside the limit: 100 rows
// an INSERT … unnest into a table with its two keys, (channel, sequence) and (bot, update id). All get slices in turn.

import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { withDatabase } from "./data.mjs";
import { prepareMembers } from "./membersData.mjs";
import { checkCounts, cpuOfPostgres, postmasterOf, V8_FLAGS } from "./processes.mjs";
import { spread } from "./ratios.mjs";
import { CHANNELS } from "./updates.mjs";

/** @typedef {import("./ingestion.mjs").Slice} Slice */
/** @typedef {import("./ratios.mjs").Spread} Spread */

/** @type {Record<string, Omit<Slice, "count">>} */
export const INGESTIONS = {
  limit: { kind: "limit", batch: 100, channels: CHANNELS },
  "100 a batch, 100 channels": { kind: "ours", batch: 100, channels: CHANNELS },
  "1,000 a batch, 100 channels": { kind: "ours", batch: 1000, channels: CHANNELS },
  "100 a batch, one channel": { kind: "ours", batch: 100, channels: 1 },
  "1,000 a batch, one channel": { kind: "ours", batch: 1000, channels: 1 },
};
/** Updates of a slice. Shorter ones would be measured badly: CPU time is counted in hundredths of a second. */
const COUNT = 10_000;

/** The main process of a PostgreSQL server on this machine. @param {string} url */
async function postmaster(url) {
  const [row] = await withDatabase(url, (execute) => execute("select pg_backend_pid() as pid"));
  return withDatabase(url, async (execute) => {
    const [own] = await execute("select pg_backend_pid() as pid");
    return postmasterOf(Number(own?.["pid"] ?? row?.["pid"]));
  });
}

/**
 * @typedef {{ node: Spread, postgres: Spread, ofTheLimit: Spread, perSecond: Spread }} Ingested microseconds an update, and
 *   how many updates are stored in the time in which the limit stores one
 */

/**
 * @param {string} server
 * @param {{ rounds: number, say: (line: string) => void }} options
 */
export async function measureIngestion(server, { rounds, say }) {
  const url = await prepareMembers(server, say);
  const main = await postmaster(url);
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
    for (const one of Object.values(INGESTIONS)) await run({ ...one, count: COUNT });
    /** @type {Record<string, Awaited<ReturnType<typeof run>>[]>} */
    const found = {};
    for (let round = 0; round < rounds; round += 1) {
      for (const [name, one] of Object.entries(INGESTIONS)) {
        found[name] = [...(found[name] ?? []), await run({ ...one, count: COUNT })];
      }
    }
    child.disconnect();
    await once(child, "exit");
    const differences = await checkCounts({ DATABASE_URL: url });
    if (differences !== "") throw new Error(`The counts are wrong: ${differences}`);
    const limits = found["limit"] ?? [];
    return Object.fromEntries(
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
  } finally {
    if (child.exitCode === null) child.kill();
  }
}

// A process of the part `members` that stores updates in slices, as its parent tells it: by this server's code or as the limit,
// which only inserts a row for each update into a table with two keys.

import { performance } from "node:perf_hooks";
import { CHANNELS, Updates } from "./updates.mjs";

// Imported at run time, because the sources are type-checked before they are built.
const built = (/** @type {string} */ file) => import(new URL(`../dist/${file}`, import.meta.url).href);
/** @type {typeof import("../src/database/database.js")} */
const { createDatabase } = await built("database/database.js");
/** @type {typeof import("../src/database/pools.js")} */
const { serverPool } = await built("database/pools.js");
/** @type {typeof import("../src/domain/members/updateIngestion.js")} */
const { UpdateIngestion } = await built("domain/members/updateIngestion.js");
/** @type {typeof import("../src/telegram/updates.js")} */
const { readUpdate } = await built("telegram/updates.js");

/** Rows of one statement of the limit. */
const LIMIT_ROWS = 100;
const BOT_ID = 7000000001;
/** Far from the ids of updates that come from Telegram. */
const FIRST = 500_000_000;

/**
 * @typedef {{ kind: "ours" | "limit", batch: number, channels: number, count: number, isTold?: boolean }} Slice `isTold`: a
 *   webhook is told of all members, so that its deliveries are stored too; nobody sends them
 * @typedef {{ count: number, milliseconds: number, cpu: number }} Stored
 */

const pool = serverPool(process.env["DATABASE_URL"] ?? "", (error) => console.error(error), { sessions: 1 });
const database = createDatabase(pool);
const ingestion = new UpdateIngestion({ database, botId: BOT_ID, notifies: true });

/** By the number of channels, so that those who leave have come. @type {Map<number, Updates>} */
const sources = new Map();
/** @param {number} channels */
function sourceOf(channels) {
  const source =
    sources.get(channels) ?? new Updates({ first: FIRST + (sources.size + 1) * 100_000_000, channels });
  sources.set(channels, source);
  return source;
}

/** @param {any[]} batch */
async function store(batch) {
  const updates = batch.map((value) => readUpdate(value)).filter((update) => update !== null);
  await ingestion.ingest(updates, null);
}

let sequence = 0;
const channelIds = Array.from({ length: CHANNELS }, () => crypto.randomUUID());

/** @param {any[]} batch @param {number} channels */
async function insert(batch, channels) {
  const ids = batch.map(({ update_id }) => update_id);
  await pool.pool.query({
    name: "limit",
    text: `insert into plain.event_limit (channel_id, sequence, bot_id, update_id, user_id, occurred_at, kind)
      select *, now(), 'JOINED' from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])`,
    values: [
      ids.map((id) => channelIds[id % channels]),
      ids.map(() => ++sequence),
      ids.map(() => BOT_ID),
      ids,
      ids,
    ],
  });
}

async function setWebhook(/** @type {boolean} */ isTold) {
  await pool.pool.query("truncate webhook, webhook_delivery");
  if (isTold) {
    await pool.pool.query(`insert into webhook (id, url, format, event_types, created_at)
      values (gen_random_uuid(), 'https://receiver.example', 'POSTBACK',
        '{MEMBER_JOINED,MEMBER_LEFT,JOIN_REQUESTED}', now())`);
  }
}

/** @param {Slice} slice @returns {Promise<Stored>} */
async function run({ kind, batch, channels, count, isTold = false }) {
  await setWebhook(isTold);
  const size = kind === "limit" ? LIMIT_ROWS : batch;
  const source = sourceOf(channels);
  const stored = { count, milliseconds: 0, cpu: 0 };
  for (let left = count; left > 0; left -= size) {
    const batch = source.take(Math.min(size, left));
    const [started, before] = [performance.now(), process.cpuUsage()];
    await (kind === "limit" ? insert(batch, channels) : store(batch));
    const { user, system } = process.cpuUsage(before);
    stored.milliseconds += performance.now() - started;
    stored.cpu += (user + system) / 1000;
  }
  return stored;
}

process.on("message", async (/** @type {Slice} */ slice) => {
  process.send?.(await run(slice));
});
process.on("disconnect", () => process.exit());

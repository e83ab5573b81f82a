import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import pg from "pg";
import { lockFolder } from "./folder.js";
import { PgliteSocket } from "./pgliteSocket.js";
import { CONNECTION_TIMEOUT_MS, type DatabasePool, decoding } from "./pools.js";
import { SessionClient, type SessionConfig } from "./session.js";

/**
 * Of PostgreSQL's own 128 MB all are written to at the start, and taken for good. The operating system keeps what these
 * have no room for.
 */
const SETTINGS = ["-c", "shared_buffers=32MB"];

const SCHEMA = "public";

/**
 * PostgreSQL in this process (PGlite), kept in `folder`, which no other process may use meanwhile.
 * @throws FolderInUseError
 */
export async function embeddedPool(folder: string, onError: (error: Error) => void): Promise<DatabasePool> {
  const claim = lockFolder(folder);
  let database: PGlite;
  try {
    database = await PGlite.create({
      dataDir: join(folder, "postgres"),
      startParams: [...PGlite.defaultStartParams, ...SETTINGS],
    });
  } catch (error) {
    claim.release();
    throw error;
  }
  const config: SessionConfig = {
    user: "postgres",
    database: "postgres",
    connectionTimeoutMillis: CONNECTION_TIMEOUT_MS,
    types: decoding,
    stream: () => new PgliteSocket(database) as never,
    // Nothing could end a statement here: it has this process's thread.
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
    // There is one session, and nothing to be woken.
    quick: pool,
    frequent: pool,
    embedded: true,
    schema: SCHEMA,
    size: 1,
    unlimited: false,
    dedicatedSession: null,
    closeOneSession: async () => {},
    async close() {
      await pool.end();
      await database.close();
      claim.release();
    },
  };
}

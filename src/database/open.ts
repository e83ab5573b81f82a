import { checkServer, prepareSchema } from "./checks.js";
import { applyMigrations } from "./migrations.js";
import { type DatabasePool, type ServerOptions, serverPool, sessionConfig } from "./pools.js";
import { WaitingPool } from "./waitingPool.js";

export { DatabaseUnreachableError, DatabaseUnusableError } from "./refusals.js";

export interface DatabaseLocation extends ServerOptions {
  /** Null: embedded in `folder`. */
  readonly url: string | null;
  readonly folder: string;
}

/**
 * Opens the database and brings it up to date; says which migrations were applied.
 * @throws FolderInUseError, FolderUnusableError, DatabaseUnreachableError, DatabaseUnusableError
 */
export async function openDatabase(
  location: DatabaseLocation,
  onError: (error: Error) => void,
): Promise<{ pool: DatabasePool; migrations: string[] }> {
  if (location.url === null) {
    // A PostgreSQL is much to load: only where it is the one to use.
    const { embeddedPool } = await import("./embedded.js");
    const pool = await embeddedPool(location.folder, onError);
    try {
      return { pool, migrations: await applyMigrations(pool.pool) };
    } catch (error) {
      await pool.close();
      throw error;
    }
  }
  await checkServer(location.url, location.directUrl ?? null);
  const migrations = await migrateServer(location.directUrl ?? location.url);
  return { pool: serverPool(location.url, onError, location), migrations };
}

/** In a session of its own, which holds the migrations' lock and ends with it. */
async function migrateServer(url: string): Promise<string[]> {
  const config = sessionConfig(url, "invite-links migrations", true);
  const session = new WaitingPool({ ...config, max: 1, answerTimeoutMs: null });
  // A statement that needs the session fails, and says so.
  session.on("error", () => {});
  try {
    return await applyMigrations(session, config.session.schema, () =>
      prepareSchema(session, config.session.schema),
    );
  } finally {
    await session.end();
  }
}

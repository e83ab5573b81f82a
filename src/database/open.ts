import { checkServer } from "./checks.js";
import { applyMigrations, type OnWait } from "./migrations.js";
import { type DatabasePool, type ServerOptions, serverPool, sessionConfig } from "./pools.js";
import { prepareSchema } from "./schemaRights.js";
import { keepTablesAnalyzed } from "./tableStatistics.js";
import { WaitingPool } from "./waitingPool.js";

export { DatabaseUnreachableError, DatabaseUnusableError } from "./refusals.js";

export interface DatabaseLocation extends ServerOptions {
  /** Null for the embedded database in `folder`. */
  readonly url: string | null;
  readonly folder: string;
}

/**
 * Opens the database and applies pending migrations.
 * @param onWait is told while migrations wait for other servers or for their transactions.
 * @returns the pool and the names of the migrations that were applied.
 * @throws FolderInUseError, FolderUnusableError, DatabaseUnreachableError, DatabaseUnusableError
 */
export async function openDatabase(
  location: DatabaseLocation,
  onError: (error: Error) => void,
  onWait: OnWait = () => {},
): Promise<{ pool: DatabasePool; migrations: string[] }> {
  if (location.url === null) {
    // Loaded only when needed, because PGlite is large.
    const { embeddedPool } = await import("./embedded.js");
    const pool = await embeddedPool(location.folder, onError);
    try {
      const migrations = await applyMigrations(pool.pool);
      const endAnalysis = await keepTablesAnalyzed(pool.pool, onError);
      const close = () => endAnalysis().then(pool.close);
      return { pool: { ...pool, close }, migrations };
    } catch (error) {
      await pool.close();
      throw error;
    }
  }
  await checkServer(location.url, location.directUrl ?? null);
  const migrations = await migrateServer(location.directUrl ?? location.url, onWait);
  return { pool: serverPool(location.url, onError, location), migrations };
}

/** Applies migrations in a session that ends afterwards, because the session holds the lock of the migrations. */
async function migrateServer(url: string, onWait: OnWait): Promise<string[]> {
  const config = sessionConfig(url, "invite-links migrations", true);
  const session = new WaitingPool({ ...config, max: 1, answerTimeoutMs: null });
  // The next statement reports a broken session.
  session.on("error", () => {});
  try {
    const { schema } = config.session;
    return await applyMigrations(session, { schema, prepare: () => prepareSchema(session, schema), onWait });
  } finally {
    await session.end();
  }
}

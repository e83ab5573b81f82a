import pg from "pg";
import { applyMigrations } from "./migrations.js";
import { type DatabasePool, serverPool } from "./pools.js";

export interface DatabaseLocation {
  /** Null: embedded in `folder`. */
  readonly url: string | null;
  readonly folder: string;
}

/** No PostgreSQL can be used at DATABASE_URL, whose text is not told. */
export class DatabaseUnreachableError extends Error {
  override readonly name = "DatabaseUnreachableError";

  constructor(cause: unknown) {
    const { code, message } = cause as { code?: string; message?: string };
    super(
      `DATABASE_URL: found an address at which no database answers (${code ?? message}), not one that can be used`,
    );
  }
}

/**
 * Opens the database and brings it up to date; says which migrations were applied.
 * @throws FolderInUseError, FolderUnusableError, DatabaseUnreachableError
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
  const migrations = await migrateServer(location.url);
  return { pool: serverPool(location.url, onError), migrations };
}

/** In a session of its own, which holds the migrations' lock and ends with it. */
async function migrateServer(url: string): Promise<string[]> {
  const session = new pg.Pool({ connectionString: url, max: 1, application_name: "invite-links migrations" });
  try {
    await session.query("select 1").catch((error: unknown) => {
      throw new DatabaseUnreachableError(error);
    });
    return await applyMigrations(session);
  } finally {
    await session.end();
  }
}

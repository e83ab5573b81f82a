import type { Database } from "../database/database.js";
import type { CallerCache } from "../domain/access/callerCache.js";

/** What a command finds in the configured database. */
export interface OpenedDatabase {
  readonly database: Database;
  readonly callerCache: CallerCache;
  /** Those applied just now, by their names. */
  readonly migrations: readonly string[];
}

/** The words by which commands tell of it in their help. */
export const DATABASE_HELP = `
The database is the server's, chosen by the same variables: DATABASE_URL, a PostgreSQL server; without it the
embedded one in DATA_DIR (default ./data), in live/ where TELEGRAM_BOT_TOKEN is set, else in sandbox/. What it
lacks of the migrations is applied first.`;

/**
 * Opens the configured database as the server would, and closes it afterwards.
 * @param instead what to do where a running server holds it, for the error.
 */
export async function withDatabase(
  instead: string,
  use: (opened: OpenedDatabase) => Promise<void>,
): Promise<void> {
  // What a database takes is loaded only by the commands that use one.
  const { dataFolder, readConfig } = await import("../config.js");
  const { createDatabase } = await import("../database/database.js");
  const { FolderInUseError } = await import("../database/folder.js");
  const { openDatabase } = await import("../database/open.js");
  const { CallerCache } = await import("../domain/access/callerCache.js");
  const config = readConfig(process.env);
  const folder = dataFolder(config);
  const { pool, migrations } = await openDatabase(
    // What a command does may take as long as it needs.
    {
      url: config.databaseUrl,
      directUrl: config.databaseDirectUrl,
      sessions: config.databasePool,
      unlimited: true,
      folder,
    },
    () => {
      // The statement that needs the connection fails, and says so.
    },
  ).catch((error: unknown) => {
    throw error instanceof FolderInUseError
      ? new Error(`The database in ${folder} is used by a running server: ${instead}`)
      : error;
  });
  const database = createDatabase(pool);
  try {
    const callerCache = new CallerCache({ remembers: false, isShared: !pool.embedded });
    await use({ database, callerCache, migrations });
  } finally {
    await database.close();
  }
}

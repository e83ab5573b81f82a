import type { Database } from "../database/database.js";
import type { CallerCache } from "../domain/access/callerCache.js";
import { note } from "./output.js";

/** The configured database, opened for a command. */
export interface OpenedDatabase {
  readonly database: Database;
  readonly callerCache: CallerCache;
  /** The names of the migrations that were applied by opening the database. */
  readonly migrations: readonly string[];
}

/** The part of a command's help about the database. */
export const DATABASE_HELP = `
The command uses the database of the server, which is chosen by the same variables: the PostgreSQL server at
DATABASE_URL or, without that, the embedded database in DATA_DIR (default: ./data), in the folder live/ if
TELEGRAM_BOT_TOKEN is set and in sandbox/ otherwise. Missing migrations are applied first.`;

/**
 * Opens the configured database as the server would, and closes it afterwards.
 * @param instead a sentence that says what to do if a running server uses the embedded database; ends the error message.
 * @throws ConfigurationError, an error of the database, and every error that `use` throws
 */
export async function withDatabase(
  instead: string,
  use: (opened: OpenedDatabase) => Promise<void>,
): Promise<void> {
  // Imported here, so that commands without a database start quickly.
  const { dataFolder, readConfig } = await import("../config.js");
  const { createDatabase } = await import("../database/database.js");
  const { FolderInUseError } = await import("../database/folder.js");
  const { openDatabase } = await import("../database/open.js");
  const { CallerCache } = await import("../domain/access/callerCache.js");
  const config = readConfig(process.env);
  const folder = dataFolder(config);
  const { pool, migrations } = await openDatabase(
    {
      url: config.databaseUrl,
      directUrl: config.databaseDirectUrl,
      sessions: config.databasePool,
      // Statements of a command have no time limit.
      unlimited: true,
      folder,
    },
    () => {
      // The statement on the broken connection fails, and its error is reported.
    },
    note,
  ).catch((error: unknown) => {
    throw error instanceof FolderInUseError
      ? new Error(`The database in ${folder} is used by a running server. ${instead}`)
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

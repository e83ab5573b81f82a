import type { Database } from "./database.js";
import { statement } from "./statement.js";

/** The database belongs to another bot or to the sandbox. */
export class ForeignDatabaseError extends Error {
  override readonly name = "ForeignDatabaseError";

  constructor(marked: number | null, botId: number | null) {
    const whose = (id: number | null) => (id === null ? "the sandbox" : `the bot ${id}`);
    super(
      `This database belongs to ${whose(marked)}, and the server was started for ${whose(botId)}. Set another DATABASE_URL or DATA_DIR, or the token of the bot that the database belongs to.`,
    );
  }
}

/**
 * Records the owner of a new database: a bot, or the sandbox (null).
 * @throws ForeignDatabaseError for a database that has another owner.
 */
export async function markDatabaseOwner(database: Database, botId: number | null): Promise<void> {
  // Prisma's upsert could fail when replicas start together.
  await database.query(statement("installation_mark_owner")`
    insert into installation (id, bot_id, created_at) values (1, ${botId}::bigint, now()) on conflict do nothing`);
  const marked = await database.prisma.installation.findUniqueOrThrow({ where: { id: 1 } });
  const owner = marked.botId === null ? null : Number(marked.botId);
  if (owner !== botId) throw new ForeignDatabaseError(owner, botId);
}

import sql from "sql-template-tag";
import type { Database } from "./database.js";

/** The database holds another bot's links, or the sandbox's. */
export class ForeignDatabaseError extends Error {
  override readonly name = "ForeignDatabaseError";

  constructor(marked: number | null, botId: number | null) {
    const whose = (id: number | null) => (id === null ? "the sandbox" : `the bot ${id}`);
    super(
      `This database belongs to ${whose(marked)}, and the server was started for ${whose(botId)}. Set another DATABASE_URL or DATA_DIR, or the token of its bot.`,
    );
  }
}

/**
 * Marks the database as the sandbox's (null) or a bot's, where it is not marked yet.
 * @throws ForeignDatabaseError where it is another's.
 */
export async function markDatabaseOwner(database: Database, botId: number | null): Promise<void> {
  // Not by Prisma's upsert, which replicas that start together would run into.
  await database.query(sql`
    insert into installation (id, bot_id, created_at) values (1, ${botId}::bigint, now()) on conflict do nothing`);
  const marked = await database.prisma.installation.findUniqueOrThrow({ where: { id: 1 } });
  const owner = marked.botId === null ? null : Number(marked.botId);
  if (owner !== botId) throw new ForeignDatabaseError(owner, botId);
}

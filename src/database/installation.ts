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
export async function claimDatabase({ prisma }: Database, botId: number | null): Promise<void> {
  const marked = await prisma.installation.upsert({
    where: { id: 1 },
    create: { id: 1, botId: botId === null ? null : BigInt(botId), createdAt: new Date() },
    update: {},
  });
  const owner = marked.botId === null ? null : Number(marked.botId);
  if (owner !== botId) throw new ForeignDatabaseError(owner, botId);
}

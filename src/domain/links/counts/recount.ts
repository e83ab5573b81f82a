import type { Database } from "../../../database/database.js";
import type { Counter, FoundDifference } from "../../shared/counter.js";
import { NotFoundError } from "../../shared/errors.js";
import { linkCounts } from "./linkCounts.js";

/** All that `invite-links recount` looks at. */
const COUNTERS: readonly Counter[] = [linkCounts];

/** Where a counter differs, as an operator is told. */
export interface Difference extends Omit<FoundDifference, "channelId"> {
  /** The channel's Telegram id; null for what belongs to no channel. */
  readonly channelId: number | null;
}

/** The differences in one snapshot, in which all that one transaction wrote is seen or none of it. */
async function find(database: Database, channelId: string | null): Promise<FoundDifference[]> {
  return database.maintenance("snapshot", async (session) => {
    const found: FoundDifference[] = [];
    for (const counter of COUNTERS) found.push(...(await counter.find(session, channelId)));
    return found;
  });
}

async function describe({ prisma }: Database, found: readonly FoundDifference[]): Promise<Difference[]> {
  const ids = [...new Set(found.flatMap(({ channelId }) => channelId ?? []))];
  const channels = await prisma.channel.findMany({
    where: { id: { in: ids } },
    select: { id: true, chatId: true },
  });
  const chatIds = new Map(channels.map(({ id, chatId }) => [id, Number(chatId)]));
  return found.map(({ counter, problem, channelId, rows, example }) => ({
    counter,
    channelId: channelId === null ? null : (chatIds.get(channelId) ?? null),
    problem,
    rows,
    example,
  }));
}

/**
 * Holds the counters against what they count and, unless `checkOnly`, puts them right.
 * @param chatId the channel's Telegram id; null for all channels
 * @returns where they differed
 * @throws NotFoundError for a channel that is not known
 */
export async function recount(
  database: Database,
  { chatId, checkOnly }: { readonly chatId: number | null; readonly checkOnly: boolean },
): Promise<Difference[]> {
  const channel =
    chatId === null ? null : await database.prisma.channel.findUnique({ where: { chatId: BigInt(chatId) } });
  if (chatId !== null && channel === null) throw new NotFoundError("channel");
  const channelId = channel?.id ?? null;
  const found = await find(database, channelId);
  const differences = await describe(database, found);
  if (checkOnly || found.length === 0) return differences;
  for (const counter of COUNTERS) await counter.repair(database, channelId);
  return differences;
}

import type { Instant } from "../../database/instant.js";
import { statement } from "../../database/statement.js";
import { type BotStatusUpdate, readUpdate } from "../../telegram/updates.js";
import { newId } from "../shared/ids.js";
import { compareMoments, type Moment } from "./history.js";
import type { Session } from "./rows.js";

/** The bot's status in a chat since a moment. */
export type BotStatusChange = BotStatusUpdate & Moment;

/** A span in which the bot was no administrator, and so got no updates about members; `to` is null while it lasts. */
interface Absence {
  readonly from: Instant;
  readonly to: Instant | null;
}

/**
 * The absences that follow from changes of the bot's status.
 * @param earlier the last absence that began before the first change; null if there is none
 * @param changes the oldest first
 */
function absencesOf(earlier: Absence | null, changes: readonly BotStatusChange[]): Absence[] {
  const [first] = changes;
  const result: Absence[] = [];
  const wasAbsent =
    first !== undefined && earlier !== null && (earlier.to === null || earlier.to >= first.at);
  let since: Instant | null = wasAbsent ? earlier.from : null;
  if (earlier && !wasAbsent) result.push(earlier);
  for (const { at, isAdministrator } of changes) {
    if (!isAdministrator) {
      since ??= at;
    } else if (since !== null) {
      result.push({ from: since, to: at });
      since = null;
    }
  }
  if (since !== null) result.push({ from: since, to: null });
  return result;
}

/** The chat ids of a channel: the present one, and those that chat migrations have replaced. */
async function readChatIds(
  session: Session,
  channelId: string,
): Promise<{ chatId: number; isPresent: boolean }[]> {
  return session.query(statement("bot_absences_chat_ids")`
    with recursive chat (chat_id, is_present) as (
      select chat_id, true from channel where id = ${channelId}::uuid
      union
      select (a.change->>'from')::bigint, false from chat join audit_entry a
        on a.action = 'channel.migrate' and (a.change->>'to')::bigint = chat.chat_id
    )
    select chat_id as "chatId", is_present as "isPresent" from chat`);
}

/** All changes of the bot's status in chats that the inbox holds. */
async function readStored(
  session: Session,
  botId: number,
  chatIds: readonly number[],
): Promise<BotStatusChange[]> {
  const rows = await session.query<{ body: unknown }>(statement("bot_absences_updates")`
    select body from telegram_update
    where chat_id = any(${chatIds}::bigint[]) and bot_id = ${botId}::bigint`);
  return rows.flatMap(({ body }) => {
    const update = readUpdate(body);
    return update?.content.kind === "botStatus" ? [{ ...update.content, updateId: update.updateId }] : [];
  });
}

/**
 * The changes of the bot's status in a channel, the oldest first. A group ends when it becomes a supergroup, so that nothing
 * counts that a former chat id tells of later.
 */
async function readChanges(
  session: Session,
  botId: number,
  channelId: string,
  arrived: readonly BotStatusChange[],
): Promise<BotStatusChange[]> {
  const chats = await readChatIds(session, channelId);
  const present = chats.find(({ isPresent }) => isPresent)?.chatId;
  const stored = await readStored(
    session,
    botId,
    chats.map(({ chatId }) => chatId),
  );
  const sorted = [...arrived, ...stored].sort(compareMoments);
  const changes = sorted.filter(({ updateId }, index) => sorted[index - 1]?.updateId !== updateId);
  const begin = changes.findIndex(({ chat }) => chat.id === present);
  return begin === -1 ? changes : changes.filter(({ chat }, index) => index < begin || chat.id === present);
}

/**
 * Stores the coverage gaps of a channel while the bot was no administrator, over all chat ids of the channel. Updates that
 * arrive late count at their own moment.
 * @param arrived changes that the inbox may not hold
 * @returns the latest change; null where there is none
 */
export async function storeAbsences(
  session: Session,
  botId: number,
  channelId: string,
  arrived: readonly BotStatusChange[],
): Promise<BotStatusChange | null> {
  const changes = await readChanges(session, botId, channelId, arrived);
  const [first] = changes;
  if (!first) return null;
  const [earlier = null] = await session.query<Absence>(statement("bot_absences_earlier")`
    select from_at as "from", to_at as "to" from coverage_gap
    where channel_id = ${channelId}::uuid and bot_id = ${botId}::bigint and reason = 'BOT_ABSENT'
      and from_at < ${first.at}::timestamptz
    order by from_at desc limit 1`);
  await session.query(statement("bot_absences_drop")`
    delete from coverage_gap
    where channel_id = ${channelId}::uuid and bot_id = ${botId}::bigint and reason = 'BOT_ABSENT'
      and from_at >= ${earlier?.from ?? first.at}::timestamptz`);
  for (const { from, to } of absencesOf(earlier, changes)) {
    await session.query(statement("bot_absences_store")`
      insert into coverage_gap (id, bot_id, channel_id, reason, from_at, to_at) values (
        ${newId()}::uuid, ${botId}::bigint, ${channelId}::uuid, 'BOT_ABSENT', ${from}::timestamptz,
        ${to}::timestamptz)`);
  }
  return changes.at(-1) ?? null;
}

/** Derives the absences of a channel anew after another one has been merged into it: its chat ids tell of one sequence. */
export async function mergeAbsences(session: Session, channelId: string): Promise<void> {
  const bots = await session.query<{ botId: number }>(statement("bot_absences_bots")`
    select distinct bot_id as "botId" from coverage_gap
    where channel_id = ${channelId}::uuid and reason = 'BOT_ABSENT'`);
  for (const { botId } of bots) await storeAbsences(session, botId, channelId, []);
}

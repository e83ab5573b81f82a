import sql from "sql-template-tag";
import type { DirectTransaction } from "../../database/directTransaction.js";
import type { Instant } from "../../database/instant.js";
import { type BotStatusUpdate, readUpdate } from "../../telegram/updates.js";
import { BOT_STATUS } from "../channels/storeChannel.js";
import { newId } from "../shared/ids.js";
import { compareMoments, type Moment } from "../stays/history.js";

/** The bot's status in a channel since a moment. */
export interface BotStatusChange extends Moment, Pick<BotStatusUpdate, "status" | "isAdministrator"> {
  readonly channelId: string;
  readonly chatId: number;
}

/** A span in which the bot was no administrator, and so got no updates about members; `to` is null while it lasts. */
export interface Absence {
  readonly from: Instant;
  readonly to: Instant | null;
}

/**
 * The absences that follow from changes of the bot's status.
 * @param earlier the last absence that began before the first change; null if there is none
 * @param changes the oldest first
 */
export function absencesOf(earlier: Absence | null, changes: readonly BotStatusChange[]): Absence[] {
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

/** All changes of the bot's status in chats that the inbox holds. */
async function readStored(
  transaction: DirectTransaction,
  botId: number,
  chatIds: Iterable<number>,
): Promise<(BotStatusUpdate & Moment)[]> {
  const rows = await transaction.queryOnce<{ body: unknown }>(sql`
    select body from telegram_update
    where chat_id = any(${[...chatIds]}::bigint[]) and bot_id = ${botId}::bigint`);
  return rows.flatMap(({ body }) => {
    const update = readUpdate(body);
    if (update?.content.kind !== "botStatus") return [];
    return [{ ...update.content, updateId: update.updateId }];
  });
}

/**
 * Stores what updates say about the bot's status: the status of the latest one, and the gaps while the bot was no
 * administrator. Updates that arrive late count at their own moment.
 */
export async function storeBotStatuses(
  transaction: DirectTransaction,
  botId: number,
  arrived: readonly BotStatusChange[],
): Promise<void> {
  if (arrived.length === 0) return;
  const channelOf = new Map(arrived.map(({ chatId, channelId }) => [chatId, channelId]));
  const stored = await readStored(transaction, botId, channelOf.keys());
  for (const [chatId, channelId] of channelOf) {
    const ofChat = [...arrived, ...stored.map((change) => ({ ...change, channelId, chatId: change.chat.id }))]
      .filter((change) => change.chatId === chatId)
      .sort(compareMoments);
    const changes = ofChat.filter(({ updateId }, index) => ofChat[index - 1]?.updateId !== updateId);
    const [first, last] = [changes[0], changes.at(-1)];
    if (!first || !last) continue;
    if (arrived.some(({ updateId }) => updateId === last.updateId)) {
      await transaction.queryOnce(sql`
        update channel set bot_status = ${BOT_STATUS[last.status]}::bot_status, updated_at = now()
        where id = ${channelId}::uuid and bot_status <> ${BOT_STATUS[last.status]}::bot_status`);
    }
    const [earlier = null] = await transaction.queryOnce<Absence>(sql`
      select from_at as "from", to_at as "to" from coverage_gap
      where channel_id = ${channelId}::uuid and bot_id = ${botId}::bigint and reason = 'BOT_ABSENT'
        and from_at < ${first.at}::timestamptz
      order by from_at desc limit 1`);
    await transaction.queryOnce(sql`
      delete from coverage_gap
      where channel_id = ${channelId}::uuid and bot_id = ${botId}::bigint and reason = 'BOT_ABSENT'
        and from_at >= ${earlier?.from ?? first.at}::timestamptz`);
    for (const { from, to } of absencesOf(earlier, changes)) {
      await transaction.queryOnce(sql`
        insert into coverage_gap (id, bot_id, channel_id, reason, from_at, to_at) values (
          ${newId()}::uuid, ${botId}::bigint, ${channelId}::uuid, 'BOT_ABSENT', ${from}::timestamptz,
          ${to}::timestamptz)`);
    }
  }
}

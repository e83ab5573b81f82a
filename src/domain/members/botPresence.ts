import type { DirectTransaction } from "../../database/directTransaction.js";
import { statement } from "../../database/statement.js";
import { BOT_STATUS } from "../channels/storeChannel.js";
import { type BotStatusChange, storeAbsences } from "../stays/absences.js";

/**
 * Stores what updates say about the bot's status: the status of the latest one, and the gaps while the bot was no
 * administrator.
 * @param arrived by channel id
 */
export async function storeBotStatuses(
  transaction: DirectTransaction,
  botId: number,
  arrived: ReadonlyMap<string, readonly BotStatusChange[]>,
): Promise<void> {
  const session = {
    query: <Row>(statement: Parameters<typeof transaction.queryOnce>[0]) =>
      transaction.queryOnce<Row>(statement),
  };
  for (const [channelId, changes] of arrived) {
    const latest = await storeAbsences(session, botId, channelId, changes);
    if (!latest || changes.every(({ updateId }) => updateId !== latest.updateId)) continue;
    const status = BOT_STATUS[latest.status];
    await transaction.queryOnce(statement("channel_store_bot_status")`
      update channel set bot_status = ${status}::bot_status, updated_at = now()
      where id = ${channelId}::uuid and bot_status <> ${status}::bot_status`);
  }
}

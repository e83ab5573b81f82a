import DataLoader from "dataloader";
import sql, { type Sql } from "sql-template-tag";
import type { Database } from "../../database/database.js";
import { statement } from "../../database/statement.js";
import { readVisibleByKey } from "../access/movedGrants.js";
import { BIGINT, batchUse, inKeyOrder, isOneOf, UUID } from "../paging/batchLoading.js";
import { type Caller, visible } from "../shared/caller.js";
import { type Channel, channelColumns } from "./channel.js";

/** Channels for one request: one statement for each batch of keys; null for a channel that the caller may not see. */
export interface ChannelLoaders {
  /** By channel id. */
  readonly channel: DataLoader<string, Channel | null>;
  readonly channelByChatId: DataLoader<number, Channel | null>;
}

export function createChannelLoaders(database: Database, caller: Caller): ChannelLoaders {
  const channelsWhere = (condition: Sql, keys: readonly unknown[]) =>
    readVisibleByKey(database, caller, keys, () =>
      database.query<Channel>(
        statement("channels_by_key")`
          select ${channelColumns} from channel c where ${condition} and ${visible(caller, sql`c.chat_id`)}`,
        batchUse(keys),
      ),
    );
  const channel = new DataLoader<string, Channel | null>(async (ids) =>
    inKeyOrder(ids, await channelsWhere(isOneOf(sql`c.id`, ids, UUID), ids), ({ id }) => id),
  );
  const channelByChatId = new DataLoader<number, Channel | null>(async (chatIds) => {
    const channels = await channelsWhere(isOneOf(sql`c.chat_id`, chatIds, BIGINT), chatIds);
    // A page of links loads its channel by chat id; each of its links then loads the same channel by channel id.
    for (const found of channels) channel.prime(found.id, found);
    return inKeyOrder(chatIds, channels, ({ chatId }) => chatId);
  });
  return { channel, channelByChatId };
}

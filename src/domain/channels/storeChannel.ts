import type { Database } from "../../database/database.js";
import type { Channel as ChannelRow } from "../../database/generated/prisma/client.js";
import { statement } from "../../database/statement.js";
import type { TelegramFailure } from "../../telegram/failures.js";
import type { TelegramBotStatus, TelegramChat } from "../../telegram/gateway.js";
import { audit, differences } from "../shared/audit.js";
import { type Caller, mayUseChannel } from "../shared/caller.js";
import { NotFoundError } from "../shared/errors.js";
import { newId } from "../shared/ids.js";
import type { BotStatus, Channel, ChatKind } from "./channel.js";

/** By Telegram's names. */
export const CHAT_KINDS = {
  channel: "CHANNEL",
  supergroup: "SUPERGROUP",
  group: "GROUP",
} as const satisfies Record<string, ChatKind>;

/** A chat that can have invite links: a channel, a group or a supergroup. */
export type LinkableChat = TelegramChat & { readonly type: keyof typeof CHAT_KINDS };

export const isLinkable = (chat: TelegramChat): chat is LinkableChat => chat.type in CHAT_KINDS;

export const BOT_STATUS = {
  ready: "READY",
  missingRights: "MISSING_PERMISSION",
  notInChat: "NOT_IN_CHANNEL",
} as const satisfies Record<TelegramBotStatus, BotStatus>;

const toChannel = (row: ChannelRow): Channel => ({
  ...row,
  chatId: Number(row.chatId),
  createdAt: row.createdAt.toISOString(),
});

/** What is known of a channel before Telegram's data is stored. */
interface StoredChannel {
  readonly id: string;
  readonly kind: ChatKind;
  readonly title: string;
  readonly username: string | null;
  readonly currency: string;
  /** Whether Telegram's data was stored before: a channel may be known from updates or an import only. */
  readonly isConnected: boolean;
}

/**
 * Stores Telegram's data of a chat. A bot status and a currency that are not given stay as they are; a new channel has
 * the bot status UNKNOWN and the currency USD.
 */
export async function storeChannel(
  database: Database,
  caller: Caller,
  chat: LinkableChat,
  { botStatus, currency = null }: { readonly botStatus?: BotStatus; readonly currency?: string | null } = {},
): Promise<Channel> {
  const seen = {
    kind: CHAT_KINDS[chat.type],
    title: chat.title ?? String(chat.id),
    username: chat.username ?? null,
    ...(currency === null ? {} : { currency }),
    ...(botStatus === undefined ? {} : { botStatus }),
  };
  return database.transaction(async (unit) => {
    const [was] = await unit.query<StoredChannel>(statement("channel_lock_stored")`
      select c.id, c.kind, c.title, c.username, c.currency,
        exists (select from audit_entry a where a.subject_id = c.id and a.action = 'channel.store') as "isConnected"
      from channel c where c.chat_id = ${chat.id}::bigint for no key update of c`);
    const row = await unit.prisma.channel.upsert({
      where: { chatId: BigInt(chat.id) },
      create: { id: newId(), chatId: BigInt(chat.id), createdAt: new Date(), ...seen },
      update: { updatedAt: new Date(), ...seen },
    });
    // A change of the bot's status has an entry of its own, which a trigger writes.
    const change = was
      ? differences(was, { kind: row.kind, title: row.title, username: row.username, currency: row.currency })
      : seen;
    if (!was?.isConnected || Object.keys(change).length > 0)
      await audit(unit, caller, { action: "channel.store", subjectId: row.id, channelId: row.id, change });
    return toChannel(row);
  });
}

/** The settings of a channel that Telegram does not have. */
export interface ChannelSettings {
  readonly currency: string;
  readonly timeZone: string;
}

/**
 * Stores settings of a channel. A setting that is left out keeps its value.
 * @throws NotFoundError if there is no such channel or the caller may not use it.
 */
export async function storeChannelSettings(
  database: Database,
  caller: Caller,
  id: string | null,
  settings: Partial<ChannelSettings>,
): Promise<Channel> {
  return database.transaction(async (unit) => {
    await unit.execute(
      statement("channel_lock_settings")`select from channel where id = ${id}::uuid for no key update`,
    );
    const row = id && (await unit.prisma.channel.findUnique({ where: { id } }));
    if (!row || !mayUseChannel(caller, Number(row.chatId))) throw new NotFoundError("channel");
    const change = differences(row, settings as ChannelSettings);
    if (Object.keys(change).length === 0) return toChannel(row);
    await audit(unit, caller, {
      action: "channel.update",
      subjectId: row.id,
      channelId: row.id,
      change,
    });
    return toChannel(
      await unit.prisma.channel.update({
        where: { id: row.id },
        data: { ...settings, updatedAt: new Date() },
      }),
    );
  });
}

/** Stores the bot status of a channel, if there is such a channel and its status differs. */
export async function storeBotStatus(
  database: Database,
  chatId: number,
  botStatus: BotStatus,
): Promise<void> {
  await database.prisma.channel.updateMany({
    where: { chatId: BigInt(chatId), NOT: { botStatus } },
    data: { botStatus, updatedAt: new Date() },
  });
}

/** Stores the bot status that a failed call shows, if it shows one. */
export async function storeStatusAfterFailure(
  database: Database,
  chatId: number,
  failure: TelegramFailure,
): Promise<void> {
  const { kind } = failure;
  if (kind === "notInChat" || kind === "missingRights")
    await storeBotStatus(database, chatId, BOT_STATUS[kind]);
}

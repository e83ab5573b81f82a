import sql from "sql-template-tag";
import type { Instant } from "../../database/instant.js";

export type BotStatus = "READY" | "MISSING_PERMISSION" | "NOT_IN_CHANNEL" | "UNKNOWN";
export type ChatKind = "CHANNEL" | "SUPERGROUP" | "GROUP";

export interface Channel {
  /** The channel id, which never changes. */
  readonly id: string;
  /** Telegram's id of the chat, which a chat migration changes. */
  readonly chatId: number;
  readonly kind: ChatKind;
  readonly title: string;
  readonly username: string | null;
  /** The currency of budgets, by ISO 4217. */
  readonly currency: string;
  readonly botStatus: BotStatus;
  readonly createdAt: Instant;
  /** The IANA name of the time zone whose days are meant where a caller names no other. */
  readonly timeZone: string;
}

/** The columns of Channel, from `channel c`. */
export const channelColumns = sql`
  c.id, c.chat_id as "chatId", c.kind, c.title, c.username, c.currency, c.bot_status as "botStatus",
  c.created_at as "createdAt", c.time_zone as "timeZone"`;

import sql from "sql-template-tag";
import type { Instant } from "../../database/instant.js";

export type BotStatus = "READY" | "MISSING_PERMISSION" | "NOT_IN_CHANNEL" | "UNKNOWN";
export type ChatKind = "CHANNEL" | "SUPERGROUP" | "GROUP";

export interface Channel {
  /** The channel's own, which stays when Telegram gives the chat another. */
  readonly id: string;
  readonly chatId: number;
  readonly kind: ChatKind;
  readonly title: string;
  readonly username: string | null;
  /** ISO 4217. */
  readonly currency: string;
  readonly botStatus: BotStatus;
  readonly createdAt: Instant;
}

/** What a statement selects of `channel c`. */
export const channelColumns = sql`
  c.id, c.chat_id as "chatId", c.kind, c.title, c.username, c.currency, c.bot_status as "botStatus",
  c.created_at as "createdAt"`;

import sql from "sql-template-tag";
import type { Instant } from "../../database/instant.js";

export type JoinPath = "INVITE_LINK" | "JOIN_REQUEST" | "CHAT_FOLDER" | "ADDED" | "DIRECT";
export type Attribution = "EXACT" | "BY_BEGINNING" | "AMBIGUOUS" | "NONE";

/** One stay of one person in a channel, whose join is known. */
export interface Membership {
  readonly id: string;
  readonly channelId: string;
  readonly chatId: number;
  /** Negative for a person who was erased. */
  readonly userId: number;
  readonly linkId: string | null;
  readonly path: JoinPath;
  readonly joinedAt: Instant;
  /** Null while the person is in the channel. */
  readonly leftAt: Instant | null;
  readonly isRemoval: boolean;
  readonly isRejoin: boolean;
}

/** The columns of Membership, from `membership m` and its `channel c`. */
export const membershipColumns = sql`
  m.id, m.channel_id as "channelId", c.chat_id as "chatId", m.user_id as "userId", m.link_id as "linkId", m.path,
  m.joined_at as "joinedAt", m.left_at as "leftAt", m.is_removal as "isRemoval", m.is_rejoin as "isRejoin"`;

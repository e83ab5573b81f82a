import sql from "sql-template-tag";
import type { JoinRequestDecision, JoinRequestState } from "../../database/generated/prisma/client.js";
import type { Instant } from "../../database/instant.js";

export type { JoinRequestDecision, JoinRequestState };

export const JOIN_REQUEST_STATES = ["PENDING", "APPROVED", "DECLINED", "GONE"] as const;

/** A person's request to join a channel. */
export interface JoinRequest {
  readonly id: string;
  readonly channelId: string;
  readonly chatId: number;
  /** Negative for a person who was erased. */
  readonly userId: number;
  /** Null if Telegram named no link, or one that several links can be. */
  readonly linkId: string | null;
  /** What the person tells of themselves in Telegram; null if it was not sent, and as soon as the request has ended. */
  readonly bio: string | null;
  readonly state: JoinRequestState;
  readonly requestedAt: Instant;
  /** Null while the request is pending. */
  readonly decidedAt: Instant | null;
}

/** The columns of JoinRequest, from `join_request r` and its `channel c`. */
export const joinRequestColumns = sql`
  r.id, r.channel_id as "channelId", c.chat_id as "chatId", r.user_id as "userId", r.link_id as "linkId", r.bio,
  r.state, r.requested_at as "requestedAt", r.decided_at as "decidedAt"`;

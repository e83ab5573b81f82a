import sql from "sql-template-tag";
import type { Instant } from "../../database/instant.js";
import type { Attribution, JoinPath } from "./membership.js";

export const MEMBER_EVENT_KINDS = ["JOINED", "LEFT", "JOIN_REQUESTED", "JOIN_REQUEST_DECLINED"] as const;
export type MemberEventKind = (typeof MEMBER_EVENT_KINDS)[number];

/** What happened to a member. */
export interface MemberEvent {
  readonly id: string;
  readonly channelId: string;
  readonly chatId: number;
  /** The order in which the channel's events were stored. */
  readonly sequence: number;
  readonly kind: MemberEventKind;
  /** Negative for a person who was erased. */
  readonly userId: number;
  readonly linkId: string | null;
  readonly attribution: Attribution;
  /** Null unless the kind is JOINED. */
  readonly path: JoinPath | null;
  readonly isRemoval: boolean;
  readonly isRejoin: boolean;
  readonly isInferred: boolean;
  /** Null if the member did it. */
  readonly actorId: number | null;
  readonly occurredAt: Instant;
}

/** The columns of MemberEvent, from `member_event e` and its `channel c`. */
export const memberEventColumns = sql`
  e.id, e.channel_id as "channelId", c.chat_id as "chatId", e.sequence, e.kind, e.user_id as "userId",
  e.link_id as "linkId", e.attribution, e.path, e.is_removal as "isRemoval", e.is_rejoin as "isRejoin",
  e.is_inferred as "isInferred", e.actor_id as "actorId", e.occurred_at as "occurredAt"`;

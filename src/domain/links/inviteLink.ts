import sql, { type Sql } from "sql-template-tag";
import type { Instant } from "../../database/instant.js";
import type { Tag } from "../tags/tag.js";

/** The only subscription period that Telegram takes: thirty days. */
export const SUBSCRIPTION_PERIOD_SECONDS = 2_592_000;

export interface InviteLink {
  readonly id: string;
  readonly channelId: string;
  readonly chatId: number;
  readonly name: string | null;
  /** The name folded, by which links are ordered and searched. */
  readonly nameKey: string | null;
  readonly url: string;
  readonly createsJoinRequest: boolean;
  readonly expireDate: Instant | null;
  readonly memberLimit: number | null;
  /** Stars a month; null for a link that costs its members nothing. */
  readonly subscriptionPrice: number | null;
  /** An exact decimal with two fraction digits, in the channel's currency. */
  readonly budget: string;
  readonly creatorId: number | null;
  readonly isBotCreated: boolean;
  readonly isRevoked: boolean;
  readonly createdAt: Instant;
  readonly updatedAt: Instant | null;
  /** The tags that it carries, the oldest first; and which version the tags of its channel were of, when it was read. */
  readonly tagIds: readonly string[];
  readonly tagsVersion: string;
}

/** A link with the tags that it carries, the oldest first. */
export interface TaggedLink extends InviteLink {
  readonly tags: readonly Pick<Tag, "id" | "name" | "color" | "typeId" | "typeName">[];
}

export const isExpired = (link: InviteLink, now: Date): boolean =>
  link.expireDate !== null && link.expireDate <= now.toISOString();

const ownColumns = sql`
  l.id, l.channel_id as "channelId", l.name, l.name_key as "nameKey", l.url,
  l.creates_join_request as "createsJoinRequest", l.expire_date as "expireDate", l.member_limit as "memberLimit",
  l.subscription_price as "subscriptionPrice", l.budget, l.creator_id as "creatorId",
  l.is_bot_created as "isBotCreated", l.is_revoked as "isRevoked", l.created_at as "createdAt",
  l.updated_at as "updatedAt",
  array(select lt.tag_id from invite_link_tag lt where lt.link_id = l.id order by lt.tag_id) as "tagIds"`;

/** What a statement selects of `invite_link l` with its `channel c`. */
export const inviteLinkColumns = sql`${ownColumns}, c.chat_id as "chatId", c.tags_version as "tagsVersion"`;

/** The same of links of one chat, whose channel is looked up once. */
export const linkColumnsOfChat = (chatId: number): Sql => sql`${ownColumns},
  ${chatId}::bigint as "chatId", (select tags_version from channel where chat_id = ${chatId}::bigint) as "tagsVersion"`;

/** What a statement selects besides of `invite_link l` for TaggedLink: read with it, so that both are of one moment. */
export const tagsOfLinkColumn = sql`
  (select coalesce(json_agg(json_build_object(
      'id', t.id, 'name', t.name, 'color', t.color, 'typeId', t.type_id, 'typeName', y.name) order by t.id), '[]')
    from invite_link_tag lt join tag t on t.id = lt.tag_id join tag_type y on y.id = t.type_id
    where lt.link_id = l.id) as tags`;

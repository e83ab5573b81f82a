import sql, { join, raw, type Sql } from "sql-template-tag";
import type { Instant } from "../../database/instant.js";
import type { Tag } from "../tags/tag.js";

/** Thirty days: the only subscription period that Telegram accepts. */
export const SUBSCRIPTION_PERIOD_SECONDS = 2_592_000;

export interface InviteLink {
  readonly id: string;
  readonly channelId: string;
  readonly chatId: number;
  readonly name: string | null;
  /** The folded name, by which links are ordered and searched. */
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
  /** The caller's own id of the link, unique in the channel; null for none. */
  readonly externalId: string | null;
  /** The tags that the link carries, the oldest first. */
  readonly tagIds: readonly string[];
  /** The version of the channel's tags when the link was read. */
  readonly tagsVersion: string;
}

/** A link with the tags that it carries, the oldest first. */
export interface TaggedLink extends InviteLink {
  readonly tags: readonly Pick<Tag, "id" | "name" | "color" | "typeId" | "typeName">[];
}

export const isExpired = (link: InviteLink, now: Date): boolean =>
  link.expireDate !== null && link.expireDate <= now.toISOString();

interface LinkColumn {
  /** The property of InviteLink that holds the column; null for a column that is not read with a link. */
  readonly property: keyof InviteLink | null;
  /** Whether exports have the column (domain/transfer/linkRecord.ts). `channel_id` is exported as the chat id. */
  readonly exported: boolean;
}

/** All columns of the table invite_link. A test compares them with the database. */
export const LINK_COLUMNS = {
  id: { property: "id", exported: false },
  channel_id: { property: "channelId", exported: true },
  bot_id: { property: null, exported: false },
  name: { property: "name", exported: true },
  name_key: { property: "nameKey", exported: false },
  url: { property: "url", exported: true },
  creates_join_request: { property: "createsJoinRequest", exported: true },
  expire_date: { property: "expireDate", exported: true },
  member_limit: { property: "memberLimit", exported: true },
  subscription_price: { property: "subscriptionPrice", exported: true },
  budget: { property: "budget", exported: true },
  creator_id: { property: "creatorId", exported: true },
  is_bot_created: { property: "isBotCreated", exported: true },
  is_revoked: { property: "isRevoked", exported: true },
  created_at: { property: "createdAt", exported: true },
  updated_at: { property: "updatedAt", exported: false },
  external_id: { property: "externalId", exported: true },
  external_id_key: { property: null, exported: false },
  // Members are counted in link_activity.
  join_count: { property: null, exported: false },
  leave_count: { property: null, exported: false },
  join_request_count: { property: null, exported: false },
  last_join_at: { property: null, exported: false },
} as const satisfies Readonly<Record<string, LinkColumn>>;

const propertyColumns = Object.entries<LinkColumn>(LINK_COLUMNS).flatMap(([column, { property }]) =>
  property === null ? [] : [raw(`l.${column} as "${property}"`)],
);

const ownColumns = sql`${join(propertyColumns)},
  array(select lt.tag_id from invite_link_tag lt where lt.link_id = l.id order by lt.tag_id) as "tagIds"`;

/** The columns of an InviteLink, from `invite_link l` and its `channel c`. */
export const inviteLinkColumns = sql`${ownColumns}, c.chat_id as "chatId", c.tags_version as "tagsVersion"`;

/** The columns of an InviteLink for the links of one chat, from `invite_link l`: the channel is looked up once. */
export const linkColumnsOfChat = (chatId: number): Sql => sql`${ownColumns},
  ${chatId}::bigint as "chatId", (select tags_version from channel where chat_id = ${chatId}::bigint) as "tagsVersion"`;

/** The additional column of a TaggedLink. One statement reads the link and its tags, so both show one moment. */
export const tagsOfLinkColumn = sql`
  (select coalesce(json_agg(json_build_object(
      'id', t.id, 'name', t.name, 'color', t.color, 'typeId', t.type_id, 'typeName', y.name) order by t.id), '[]')
    from invite_link_tag lt join tag t on t.id = lt.tag_id join tag_type y on y.id = t.type_id
    where lt.link_id = l.id) as tags`;

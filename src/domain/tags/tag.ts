import sql from "sql-template-tag";
import type { Instant } from "../../database/instant.js";

export interface TagType {
  readonly id: string;
  readonly name: string;
}

export interface Tag {
  readonly id: string;
  readonly channelId: string;
  readonly chatId: number;
  readonly typeId: string;
  readonly typeName: string;
  readonly name: string;
  readonly nameKey: string;
  /** #RRGGBB */
  readonly color: string;
  readonly createdAt: Instant;
  readonly updatedAt: Instant | null;
}

/** A tag type with its tags in one channel. */
export interface TypeWithTags {
  readonly type: TagType;
  readonly tags: readonly Tag[];
}

/** A link that carries a tag, as it is shown with the tag. */
export interface LinkOfTag {
  readonly id: string;
  readonly name: string | null;
  readonly url: string;
  /** An RFC 3339 instant. */
  readonly createdAt: string;
  /** An exact decimal. */
  readonly budget: string;
  readonly creatorId: number | null;
  readonly isBotCreated: boolean;
}

/** A tag with the newest links that carry it (at most 1,000), the newest first. */
export interface TagWithLinks extends Tag {
  readonly links: readonly LinkOfTag[];
}

/** The largest number of links that are shown with a tag. */
const MAX_LINKS = 1_000;

/** The columns of TagType, from `tag_type y`. */
export const tagTypeColumns = sql`y.id, y.name`;

/** The columns of Tag, from `tag t` with tagJoins. */
export const tagColumns = sql`
  t.id, t.channel_id as "channelId", c.chat_id as "chatId", t.type_id as "typeId", y.name as "typeName", t.name,
  t.name_key as "nameKey", t.color, t.created_at as "createdAt", t.updated_at as "updatedAt"`;

/** Joins a tag's channel and type. They are read in the same statement, so neither can be deleted in between. */
export const tagJoins = sql`join channel c on c.id = t.channel_id join tag_type y on y.id = t.type_id`;

/** The additional column of TagWithLinks, from `tag t`. */
export const linksOfTagColumn = sql`
  (select coalesce(json_agg(json_build_object(
      'id', l.id, 'name', l.name, 'url', l.url, 'createdAt', l.created_at, 'budget', l.budget::text,
      'creatorId', l.creator_id, 'isBotCreated', l.is_bot_created) order by l.created_at desc, l.id desc), '[]')
    from (
      select lt.link_id from invite_link_tag lt where lt.tag_id = t.id
      order by lt.created_at desc, lt.link_id desc limit ${MAX_LINKS}::int
    ) newest
    join invite_link l on l.id = newest.link_id) as links`;

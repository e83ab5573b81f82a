import sql from "sql-template-tag";

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
  readonly createdAt: Date;
  readonly updatedAt: Date | null;
}

/** A type with the tags that a channel has of it. */
export interface TypeWithTags {
  readonly type: TagType;
  readonly tags: readonly Tag[];
}

/** What a statement selects of `tag_type y`. */
export const tagTypeColumns = sql`y.id, y.name`;

/** What a statement selects of `tag t`, with tagJoins. */
export const tagColumns = sql`
  t.id, t.channel_id as "channelId", c.chat_id as "chatId", t.type_id as "typeId", y.name as "typeName", t.name,
  t.name_key as "nameKey", t.color, t.created_at as "createdAt", t.updated_at as "updatedAt"`;

/** Its channel and its type, read with it: neither can have gone by the time it is asked for. */
export const tagJoins = sql`join channel c on c.id = t.channel_id join tag_type y on y.id = t.type_id`;

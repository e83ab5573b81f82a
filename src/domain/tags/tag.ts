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

/** What a statement selects of `tag t` with its `channel c`. */
export const tagColumns = sql`
  t.id, t.channel_id as "channelId", c.chat_id as "chatId", t.type_id as "typeId", t.name, t.name_key as "nameKey",
  t.color, t.created_at as "createdAt", t.updated_at as "updatedAt"`;

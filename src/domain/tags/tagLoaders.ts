import DataLoader from "dataloader";
import sql, { type Sql } from "sql-template-tag";
import type { Database } from "../../database/database.js";
import { statement } from "../../database/statement.js";
import { readVisibleByKey } from "../access/movedGrants.js";
import { BIGINT, batchUse, inKeyOrder, isOneOf, UUID } from "../paging/batchLoading.js";
import { type Caller, visible } from "../shared/caller.js";
import { type Tag, type TagType, type TypeWithTags, tagColumns, tagJoins, tagTypeColumns } from "./tag.js";
import type { TagCache } from "./tagCache.js";

/** The part of a link's row that is about its tags. */
export interface CarriedTags {
  /** The oldest tag first. */
  readonly tagIds: readonly string[];
  /** The version of the channel's tags when the row was read. */
  readonly tagsVersion: string;
}

/** Tags for one request: one statement for each batch of keys. */
export interface TagLoaders {
  /** Null for a tag that does not exist or that the caller may not see. */
  readonly tag: DataLoader<string, Tag | null>;
  /** The tags of a link, the oldest first. No promise if the tag cache has all of them; else the DataLoader reads them. */
  tagsOf(link: CarriedTags): readonly Tag[] | Promise<readonly Tag[]>;
  /** Null if no tags are cached between requests. */
  readonly tagCache: TagCache | null;
}

/** Tag types for one request: one statement for each batch of keys. */
export interface TagTypeLoaders {
  /** Null for a type that does not exist. Every caller may see every type. */
  readonly tagType: DataLoader<string, TagType | null>;
  /** The tags of a chat by their types. Types and tags are sorted by name. */
  readonly tagsOfChat: DataLoader<number, readonly TypeWithTags[]>;
}

/** Reads the tags with these ids that the caller may see. */
export const readTags = <Row extends Tag>(
  database: Database,
  caller: Caller,
  columns: Sql,
  ids: readonly string[],
): Promise<Row[]> =>
  readVisibleByKey(database, caller, ids, () =>
    database.query<Row>(
      statement("tags_by_id")`
    select ${columns} from tag t ${tagJoins}
    where ${isOneOf(sql`t.id`, ids, UUID)} and ${visible(caller, sql`c.chat_id`)}`,
      batchUse(ids),
    ),
  );

/** Plain twin of cachedTagLoaders.ts. */
export function createTagLoaders(database: Database, caller: Caller): TagLoaders {
  const tag = new DataLoader<string, Tag | null>(async (ids) =>
    inKeyOrder(ids, await readTags<Tag>(database, caller, tagColumns, ids), ({ id }) => id),
  );
  return {
    tagCache: null,
    tag,
    async tagsOf({ tagIds }) {
      const tags = await Promise.all(tagIds.map((id) => tag.load(id)));
      // A tag that was deleted since the link's row was read is null.
      return tags.filter((one) => one !== null);
    },
  };
}

export const createTagTypeLoaders = (database: Database, caller: Caller): TagTypeLoaders => ({
  tagType: new DataLoader<string, TagType | null>(async (ids) =>
    inKeyOrder(
      ids,
      await database.query<TagType>(
        statement("tag_types_by_id")`
          select ${tagTypeColumns} from tag_type y where ${isOneOf(sql`y.id`, ids, UUID)}`,
        batchUse(ids),
      ),
      ({ id }) => id,
    ),
  ),
  tagsOfChat: new DataLoader<number, readonly TypeWithTags[]>(async (chatIds) => {
    const rows = await database.query<Tag>(statement("tags_by_channel")`
      select ${tagColumns} from tag t ${tagJoins}
      where ${isOneOf(sql`c.chat_id`, chatIds, BIGINT)} and ${visible(caller, sql`c.chat_id`)}
      order by y.name_key, y.id, t.name_key, t.id`);
    const chats = new Map(chatIds.map((id) => [id, new Map<string, { type: TagType; tags: Tag[] }>()]));
    for (const found of rows) {
      const types = chats.get(found.chatId);
      const group = types?.get(found.typeId) ?? {
        type: { id: found.typeId, name: found.typeName },
        tags: [],
      };
      group.tags.push(found);
      types?.set(found.typeId, group);
    }
    return chatIds.map((id) => [...(chats.get(id)?.values() ?? [])]);
  }),
});

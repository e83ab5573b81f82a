import DataLoader from "dataloader";
import sql from "sql-template-tag";
import type { Database } from "../../database/database.js";
import { BIGINT, batchUse, inKeyOrder, isOneOf, UUID } from "../paging/batchLoading.js";
import { type Caller, visible } from "../shared/caller.js";
import { type Tag, type TagType, type TypeWithTags, tagColumns, tagJoins, tagTypeColumns } from "./tag.js";
import type { RememberedTag, TagCache, VersionedTag } from "./tagCache.js";

/** What a link's row says of its tags. */
export interface CarriedTags {
  readonly tagIds: readonly string[];
  /** The version of its channel's tags when the row was read. */
  readonly tagsVersion: string;
}

/** Tags and types for one request: one statement for each batch of keys; null for a tag that the caller may not see. */
export interface TagLoaders {
  readonly tag: DataLoader<string, Tag | null>;
  /** A tag as the tag cache remembers it, which may be older than the database's; undefined where it has none. */
  rememberedTag(id: string): RememberedTag | undefined;
  /**
   * The tags that a link carries, the oldest first. The tag cache answers at once where it has all of them in the link's
   * version of tags; the DataLoader `tag` answers for the others.
   */
  tagsOf(link: CarriedTags): readonly Tag[] | Promise<readonly Tag[]>;
  /** Every caller may see every type. */
  readonly tagType: DataLoader<string, TagType | null>;
  /** The tags of a chat by their types; types and tags are sorted by name. */
  readonly tagsOfChat: DataLoader<number, readonly TypeWithTags[]>;
}

export function createTagLoaders(database: Database, caller: Caller, tagCache: TagCache): TagLoaders {
  const seen = () => visible(caller, sql`c.chat_id`);
  const tag = new DataLoader<string, Tag | null>(async (ids) => {
    const tags = await database.query<VersionedTag>(
      sql`
      select ${tagColumns}, c.tags_version as "tagsVersion" from tag t ${tagJoins}
      where ${isOneOf(sql`t.id`, ids, UUID)} and ${seen()}`,
      batchUse(ids),
    );
    return inKeyOrder(
      ids,
      tags.map((found) => tagCache.note(found)),
      ({ id }) => id,
    );
  });
  return {
    tag,
    rememberedTag: (id) => tagCache.remembered(id),
    tagsOf({ tagIds, tagsVersion }) {
      const cached = tagIds.map((id) => tagCache.find(id, tagsVersion));
      if (!cached.includes(undefined)) return cached as Tag[];
      const tags = cached.map((found, index) => found ?? tag.load(tagIds[index] as string));
      // A tag that was deleted since the link's row was read is null.
      return Promise.all(tags).then((found) => found.filter((one) => one !== null));
    },
    tagType: new DataLoader<string, TagType | null>(async (ids) =>
      inKeyOrder(
        ids,
        await database.query<TagType>(
          sql`select ${tagTypeColumns} from tag_type y where ${isOneOf(sql`y.id`, ids, UUID)}`,
          batchUse(ids),
        ),
        ({ id }) => id,
      ),
    ),
    tagsOfChat: new DataLoader<number, readonly TypeWithTags[]>(async (chatIds) => {
      const rows = await database.query<Tag>(sql`
        select ${tagColumns} from tag t ${tagJoins}
        where ${isOneOf(sql`c.chat_id`, chatIds, BIGINT)} and ${seen()}
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
  };
}

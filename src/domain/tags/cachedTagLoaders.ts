import DataLoader from "dataloader";
import sql from "sql-template-tag";
import type { Database } from "../../database/database.js";
import { inKeyOrder } from "../paging/batchLoading.js";
import type { Caller } from "../shared/caller.js";
import { type Tag, tagColumns } from "./tag.js";
import type { TagCache, VersionedTag } from "./tagCache.js";
import { readTags, type TagLoaders } from "./tagLoaders.js";

/**
 * Part of the fast path in tagCache.ts; plain twin: tagLoaders.ts. The cache answers `tagsOf` if it has all tags of a link
 * in the version that was read with the link. This takes neither a statement nor a promise.
 */
export function createCachedTagLoaders(database: Database, caller: Caller, tagCache: TagCache): TagLoaders {
  const columns = sql`${tagColumns}, c.tags_version as "tagsVersion"`;
  const tag = new DataLoader<string, Tag | null>(async (ids) => {
    const tags = await readTags<VersionedTag>(database, caller, columns, ids);
    return inKeyOrder(
      ids,
      tags.map((found) => tagCache.store(found)),
      ({ id }) => id,
    );
  });
  return {
    tagCache,
    tag,
    tagsOf({ tagIds, tagsVersion }) {
      const cached = tagIds.map((id) => tagCache.findCurrent(id, tagsVersion));
      if (!cached.includes(undefined)) return cached as Tag[];
      const tags = cached.map((found, index) => found ?? tag.load(tagIds[index] as string));
      // A tag that was deleted since the link's row was read is null.
      return Promise.all(tags).then((found) => found.filter((one) => one !== null));
    },
  };
}

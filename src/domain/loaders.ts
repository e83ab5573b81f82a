import type { Database } from "../database/database.js";
import { createChannelLoaders } from "./channels/channelLoaders.js";
import { createLinkLoaders, type Loaders } from "./links/linkLoaders.js";
import type { Caller } from "./shared/caller.js";
import { createCachedTagLoaders } from "./tags/cachedTagLoaders.js";
import type { TagCache } from "./tags/tagCache.js";
import { createTagLoaders, createTagTypeLoaders } from "./tags/tagLoaders.js";

/**
 * The loaders of one request. They live as long as the request, so that nothing leaks from one caller to another, and
 * find only what the request's caller may see.
 * @param tagCache null: no tags are cached between requests.
 */
export const createLoaders = (
  database: Database,
  caller: Caller,
  tagCache: TagCache | null = null,
): Loaders =>
  Object.assign(
    createChannelLoaders(database, caller),
    tagCache ? createCachedTagLoaders(database, caller, tagCache) : createTagLoaders(database, caller),
    createTagTypeLoaders(database, caller),
    createLinkLoaders(database, caller),
  );

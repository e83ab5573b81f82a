import type { Database } from "../database/database.js";
import { createChannelLoaders } from "./channels/channelLoaders.js";
import { createLinkLoaders, type Loaders } from "./links/linkLoaders.js";
import type { Caller } from "./shared/caller.js";
import { TagCache } from "./tags/tagCache.js";
import { createTagLoaders } from "./tags/tagLoaders.js";

/**
 * The loaders of one request. They live as long as the request, so that nothing leaks from one caller to another, and
 * find only what the request's caller may see.
 */
export const createLoaders = (
  database: Database,
  caller: Caller,
  tagCache = new TagCache(false),
): Loaders => ({
  ...createChannelLoaders(database, caller),
  ...createTagLoaders(database, caller, tagCache),
  ...createLinkLoaders(database, caller),
});

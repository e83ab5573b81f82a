import type { TagCache } from "../../tags/tagCache.js";
import { type GroupsOfChat, isRightGroup, type ReadUnderGroups, readWhenChecked } from "./groupCheck.js";

// Part of the fast path in tags/tagCache.ts: a page of links proves that the cached tags of its filter's groups are
// current. The page is read without looking up the tags. Each of its links brings the current version of the channel's
// tags. If this version equals that of the cached tags, and the groups are right by these tags, the check would find the
// same.

/** The version of the channel's tags in which the groups are right; null if the cached tags do not show one. */
function versionOfRightGroups({ chatId, groups }: GroupsOfChat, tagCache: TagCache): string | null {
  const versions = new Set<string | undefined>();
  for (const group of groups) {
    const cached = group.tagIds.map((id) => tagCache.find(id));
    const tags = cached.map((one) => one?.tag);
    if (!isRightGroup(group, tags, chatId)) return null;
    for (const one of cached) versions.add(one?.version);
  }
  const [version = null] = versions;
  return versions.size === 1 ? version : null;
}

/** Does the same as its plain twin, readWhenChecked. A page without links proves nothing: the groups are checked then. */
export const readWithProof =
  (tagCache: TagCache): ReadUnderGroups =>
  async (groups, loaders, read) => {
    const version = versionOfRightGroups(groups, tagCache);
    if (version !== null) {
      const page = await read();
      if (page.edges[0]?.node.tagsVersion === version) return page;
    }
    return readWhenChecked(groups, loaders, read);
  };

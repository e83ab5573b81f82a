// What: Tags are cached between requests (this file, cachedTagLoaders.ts), and a page of links proves that the cached
//   tags of its filter are current (links/query/groupProof.ts). Plain twins: tagLoaders.ts and links/query/groupCheck.ts.
// Measured: W1 1.30 (0.84) instead of 3.09 (1.65) CPU ms of Node.js (and PostgreSQL) per request, 2.23 times (200,000 links,
//   2026-11-26, `npm run bench -- --only fast-paths`); docs/decisions/0004-tag-cache.md.
// To remove: delete these three files, their tests, the response memo and `tagCache` in fastPaths.ts; let linkQueries.ts
//   call readWhenChecked; remove `tagCache` from tagLoaders.ts, loaders.ts, request.ts and app.ts, and `tagsVersion` from
//   tagLoaders.ts and inviteLink.ts; drop `tags_version` and its triggers.

import { withAttachment } from "../shared/attachment.js";
import type { Tag } from "./tag.js";

const MAX_TAGS = 50_000;

/** A tag, with the version that its channel's tags had when the tag was read. */
export interface VersionedTag extends Tag {
  readonly tagsVersion: string;
}

export interface CachedTag {
  readonly tag: Tag;
  /** The version that the channel's tags had when the tag was read. */
  readonly version: string;
}

/**
 * Tags of earlier requests. Triggers renew a channel's tags version with each change of its tags by any server. Every row of a
 * link is read with the version, which proves whether a cached tag is current.
 */
export class TagCache {
  readonly #tags = new Map<string, CachedTag>();

  /** The tag, if the cache has it in this version. */
  findCurrent(id: string, version: string): Tag | undefined {
    const cached = this.#tags.get(id);
    return cached?.version === version ? cached.tag : undefined;
  }

  /** The tag in the version that the cache has; the caller must prove that the version is current. */
  find(id: string): CachedTag | undefined {
    return this.#tags.get(id);
  }

  store({ tagsVersion: version, ...tag }: VersionedTag): Tag {
    // Clearing the whole cache is cheap and rare. Tracking the last use would cost more than reading the tags again.
    if (this.#tags.size >= MAX_TAGS) this.#tags.clear();
    this.#tags.set(tag.id, { tag: withAttachment(tag), version });
    return tag;
  }
}

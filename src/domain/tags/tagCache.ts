import { withResponseMemo } from "../shared/responseMemo.js";
import type { Tag } from "./tag.js";

const MOST_TAGS = 50_000;

/** A tag, and the version that the tags of its channel were of when it was read. */
export interface VersionedTag extends Tag {
  readonly tagsVersion: string;
}

/** A tag as it was when its channel's tags were of a version. */
export interface RememberedTag {
  readonly tag: Tag;
  readonly version: string;
}

/**
 * Tags that were read before. Whoever looks for one says which version the channel's tags are of now, as the statement
 * found that gave the tag's id: so nobody is shown a tag as it was before, whichever server changed it.
 */
export class TagCache {
  readonly #remembers: boolean;
  readonly #tags = new Map<string, RememberedTag>();

  /** @param remembers false: every tag is read anew. */
  constructor(remembers: boolean) {
    this.#remembers = remembers;
  }

  find(id: string, version: string): Tag | undefined {
    const known = this.#tags.get(id);
    return known?.version === version ? known.tag : undefined;
  }

  /** As it was at some time: whoever uses it makes sure that the version is that of now. */
  remembered(id: string): RememberedTag | undefined {
    return this.#tags.get(id);
  }

  /** Remembers a tag. */
  note({ tagsVersion: version, ...tag }: VersionedTag): Tag {
    if (!this.#remembers) return tag;
    // All of them, since to know which was used last would cost more than to read them again.
    if (this.#tags.size >= MOST_TAGS) this.#tags.clear();
    this.#tags.set(tag.id, { tag: withResponseMemo(tag), version });
    return tag;
  }
}

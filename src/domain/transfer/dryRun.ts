import type { ExistingRows, ExternalIdOwners, RowIds } from "./existingRows.js";
import { FingerprintSet } from "./fingerprintSet.js";
import { keyOfLink, type TransferLink } from "./transferLink.js";

/** The rows of one kind that a batch has found, and those that the dry run would have created before. */
class DryRunIds<Key extends string | number> implements RowIds<Key> {
  readonly #found: RowIds<Key>;
  readonly #planned: FingerprintSet;

  constructor(found: RowIds<Key>, planned: FingerprintSet) {
    this.#found = found;
    this.#planned = planned;
  }

  get(key: Key): string | undefined {
    return this.#found.get(key) ?? (this.#planned.has(String(key)) ? this.#idOf(key) : undefined);
  }

  plan(key: Key): string {
    this.#planned.add(String(key));
    return this.#idOf(key);
  }

  #idOf(key: Key): string {
    return `planned ${key}`;
  }
}

/**
 * What a dry run remembers of the rows that it would have created, which the database does not have. It keeps fingerprints,
 * since a file has up to tens of millions of links.
 */
export class DryRun {
  readonly #channels = new FingerprintSet();
  readonly #types = new FingerprintSet();
  readonly #tags = new FingerprintSet();
  readonly #links = new FingerprintSet();
  readonly #externalIds = new FingerprintSet();
  readonly #owners = new FingerprintSet();

  /** What a batch finds: the rows of the database and those of earlier batches. */
  existing({ channels, types, tags, links, externalIds }: ExistingRows): ExistingRows {
    return {
      channels: new DryRunIds(channels, this.#channels),
      types: new DryRunIds(types, this.#types),
      tags: new DryRunIds(tags, this.#tags),
      links,
      externalIds: this.#withEarlier(externalIds),
    };
  }

  /** Whether an earlier batch would have created the link. */
  hasLink({ chatId, url }: TransferLink): boolean {
    return this.#links.has(keyOfLink(chatId, url));
  }

  addLinks(links: readonly TransferLink[]): void {
    for (const { chatId, url } of links) this.#links.add(keyOfLink(chatId, url));
  }

  #withEarlier(found: ExternalIdOwners): ExternalIdOwners {
    const ownerOf = (key: string, url: string) => JSON.stringify([key, url]);
    return {
      isTaken: (key, url) =>
        found.isTaken(key, url) || (this.#externalIds.has(key) && !this.#owners.has(ownerOf(key, url))),
      take: (key, url) => {
        this.#externalIds.add(key);
        this.#owners.add(ownerOf(key, url));
      },
    };
  }
}

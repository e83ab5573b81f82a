/** Characters of a name that are kept. */
const MAX_LENGTH = 64;

/** Bounds the number of names that clients choose: the first names are kept, all later names count as "other". */
export class BoundedNames {
  readonly #most: number;
  readonly #names = new Set<string>();

  constructor(most: number) {
    this.#most = most;
  }

  /** @returns the name, truncated, or "other". */
  boundedOf(name: string): string {
    const cut = name.slice(0, MAX_LENGTH);
    if (this.#names.has(cut)) return cut;
    if (this.#names.size >= this.#most) return "other";
    this.#names.add(cut);
    return cut;
  }
}

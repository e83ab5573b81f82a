/** Of a name that a client chose: a longer one says nothing more. */
const MAX_LENGTH = 64;

/** Keeps what clients may name in bounds: the first names that turn up stand for themselves, the rest for "other". */
export class BoundedNames {
  readonly #most: number;
  readonly #known = new Set<string>();

  constructor(most: number) {
    this.#most = most;
  }

  /** The name, cut to a sane length, or "other". */
  boundedOf(name: string): string {
    const cut = name.slice(0, MAX_LENGTH);
    if (this.#known.has(cut)) return cut;
    if (this.#known.size >= this.#most) return "other";
    this.#known.add(cut);
    return cut;
  }
}

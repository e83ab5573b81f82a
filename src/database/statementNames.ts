import { createHash } from "node:crypto";

/** Each name stays in every session, on both sides. */
const MOST_PREPARED = 500;
const BYTES_OF_HASH = 16;

/**
 * Names of prepared statements. A name is made of the statement's text and the schema that it is read in: one name never
 * means two statements, on whichever server, in whichever version.
 */
export class StatementNames {
  readonly #schema: string;
  readonly #names = new Map<string, string>();

  constructor(schema: string) {
    this.#schema = schema;
  }

  /** Undefined where there are too many already. */
  nameOf(text: string): string | undefined {
    let name = this.#names.get(text);
    if (name === undefined && this.#names.size < MOST_PREPARED) {
      const hash = createHash("sha256").update(`${this.#schema}\0${text}`).digest();
      name = `invite_links_${hash.subarray(0, BYTES_OF_HASH).toString("base64url")}`;
      this.#names.set(text, name);
    }
    return name;
  }
}

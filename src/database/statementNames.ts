import { createHash } from "node:crypto";

/** A prepared statement takes memory in every session, here and in PostgreSQL. */
const MAX_NAMES = 500;
const HASH_BYTES = 9;

/**
 * Names of prepared statements: the statement's name and a hash of its text and the schema, so that one name never means two
 * statements, even across servers and versions.
 */
export class StatementNames {
  readonly #schema: string;
  readonly #names = new Map<string, string>();

  constructor(schema: string) {
    this.#schema = schema;
  }

  /** @returns undefined when there are too many names already. */
  nameOf(statementName: string, text: string): string | undefined {
    let name = this.#names.get(text);
    if (name === undefined && this.#names.size < MAX_NAMES) {
      const hash = createHash("sha256").update(`${this.#schema}\0${text}`).digest();
      name = `${statementName}_${hash.subarray(0, HASH_BYTES).toString("base64url")}`;
      this.#names.set(text, name);
    }
    return name;
  }
}

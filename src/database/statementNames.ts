import { createHash } from "node:crypto";
import { isOutdatedStatement } from "./failures.js";

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
  #renewals = 0;

  constructor(schema: string) {
    this.#schema = schema;
  }

  /** @returns undefined when there are too many names already. */
  nameOf(statementName: string, text: string): string | undefined {
    let name = this.#names.get(text);
    if (name === undefined && this.#names.size < MAX_NAMES) {
      const hash = createHash("sha256").update(`${this.#schema}\0${text}`).digest();
      const suffix = this.#renewals === 0 ? "" : `_${this.#renewals}`;
      name = `${statementName}_${hash.subarray(0, HASH_BYTES).toString("base64url")}${suffix}`;
      this.#names.set(text, name);
    }
    return name;
  }

  /**
   * Gives all statements new names, so that each session prepares them again, if an error says that a statement is outdated.
   * @param name of the statement that failed.
   * @returns whether the statement can be repeated.
   */
  renewAfter(error: unknown, text: string, name: string | undefined): boolean {
    if (name === undefined || !isOutdatedStatement(error)) return false;
    // Another caller whose statement failed as well may have renewed the names already.
    if (this.#names.get(text) === name) {
      this.#renewals += 1;
      this.#names.clear();
    }
    return true;
  }
}

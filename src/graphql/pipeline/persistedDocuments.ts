import { createHash } from "node:crypto";
import { GraphQLError } from "graphql";
import { LRUCache } from "lru-cache";
import { isObject } from "../executor/json.js";
import type { HttpExtension } from "./errors.js";
import type { OperationParameters } from "./operation.js";

/** The most characters of all documents that clients have left with their hashes. */
const KEPT_CHARACTERS = 1_000_000;
/** The version of Apollo's protocol of persisted queries. */
const VERSION = 1;

/** In every media type, so that no cache or client takes the refusal for a result. */
const REFUSED: HttpExtension = { status: 400 };

/** Whether a request names its document by a hash, with or without the document's text. */
export const namesHash = (extensions: unknown): boolean =>
  isObject(extensions) && extensions["persistedQuery"] != null;

/** @throws GraphQLError for a hash that is none. @returns the hash in lower case; null if the request names none. */
function hashIn(extensions: unknown): string | null {
  if (!isObject(extensions) || extensions["persistedQuery"] == null) return null;
  const named = extensions["persistedQuery"];
  const { version, sha256Hash } = isObject(named) ? named : {};
  if (version !== VERSION || typeof sha256Hash !== "string" || sha256Hash === "")
    throw new GraphQLError(`persistedQuery must be { "version": ${VERSION}, "sha256Hash": "…" }.`, {
      extensions: { code: "BAD_REQUEST", http: REFUSED },
    });
  return sha256Hash;
}

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Finds the text of the document that a request sends or names by its hash. */
export interface PersistedDocuments {
  /** @throws GraphQLError for a document that is not known or not allowed. */
  textOf(parameters: Pick<OperationParameters, "query" | "extensions">): string;
  /** Called with a request whose document is valid. */
  keep(parameters: Pick<OperationParameters, "query" | "extensions">): void;
}

/**
 * Apollo's automatic persisted queries: a client sends a document's hash alone, and sends the text too if the server does not
 * know it. Each server remembers the documents that were used last.
 */
export class AutomaticDocuments implements PersistedDocuments {
  readonly #kept = new LRUCache<string, string>({
    maxSize: KEPT_CHARACTERS,
    sizeCalculation: (text) => text.length + 1,
  });

  textOf({ query, extensions }: Pick<OperationParameters, "query" | "extensions">): string {
    const hash = hashIn(extensions)?.toLowerCase() ?? null;
    if (hash === null) return query;
    if (query === "") {
      const kept = this.#kept.get(hash);
      if (kept !== undefined) return kept;
      // Clients know the error by this message, and send the text.
      throw new GraphQLError("PersistedQueryNotFound", { extensions: { code: "PERSISTED_QUERY_NOT_FOUND" } });
    }
    if (this.#kept.get(hash) !== query && hashOf(query) !== hash)
      throw new GraphQLError("sha256Hash is not the SHA-256 of the document.", {
        extensions: { code: "PERSISTED_QUERY_MISMATCH", http: REFUSED },
      });
    return query;
  }

  keep({ query, extensions }: Pick<OperationParameters, "query" | "extensions">): void {
    const hash = query === "" ? null : hashIn(extensions);
    if (hash !== null) this.#kept.set(hash.toLowerCase(), query);
  }
}

/** Allows the documents of a manifest alone, named by their hashes or sent as their whole texts. */
export class TrustedDocuments implements PersistedDocuments {
  readonly #texts: ReadonlyMap<string, string>;
  readonly #allowed: ReadonlySet<string>;

  /**
   * @param manifest the texts by their hashes
   * @param own the texts that the server's own clients send
   */
  constructor(manifest: ReadonlyMap<string, string>, own: readonly string[]) {
    this.#texts = new Map([...own.map((text) => [hashOf(text), text] as const), ...manifest]);
    this.#allowed = new Set(this.#texts.values());
  }

  textOf({ query, extensions }: Pick<OperationParameters, "query" | "extensions">): string {
    const hash = hashIn(extensions);
    const named = hash === null ? undefined : (this.#texts.get(hash) ?? this.#texts.get(hash.toLowerCase()));
    const text = query === "" ? named : query;
    const isTrusted = text !== undefined && this.#allowed.has(text) && (hash === null || named === text);
    if (isTrusted) return text;
    throw new GraphQLError("This server runs only the documents that it was given as trusted.", {
      extensions: { code: "DOCUMENT_NOT_TRUSTED", http: REFUSED },
    });
  }

  keep(): void {}
}

// What: Keeps the JSON of a cached tag with the tag, for selections of pure fields. Plain twin: noResponseMemo, with
//   which the executor writes the JSON each time.
// Measured: W1 0.81 instead of 0.97 CPU ms of Node.js per request, 1.11 times with PostgreSQL's time (200,000 links, 20
//   paired rounds, 2026-11-26); docs/decisions/0003-response-memo.md.
// To remove: delete this file, its test, `signature` in executionPlan.ts, `#objectMemoized` in run.ts, PURE_FIELD in
//   nodes/tag.ts and builder/plugin.ts, domain/shared/attachment.ts with its use in tagCache.ts, and `responseMemo` in
//   fastPaths.ts.

import { attachmentOf } from "../../../domain/shared/attachment.js";
import type { Json } from "../json.js";

/** The extensions of a pure field, whose value depends on its object only: not on the caller, arguments or time. */
export const PURE_FIELD = { isPure: true } as const;

/** The largest number of selections whose JSON is kept for one object. Clients rarely select an object in more ways. */
const MAX_SELECTIONS = 4;
/** The most characters of a signature and its JSON together. */
const MAX_LENGTH = 600;

/** JSON of one object, by the signature of the selection that it answers. */
export class ResponseMemo {
  readonly #json = new Map<string, Json>();

  find(signature: string): Json | undefined {
    return this.#json.get(signature);
  }

  store(signature: string, json: Json): void {
    if (signature.length + json.length > MAX_LENGTH) return;
    if (this.#json.size >= MAX_SELECTIONS) this.#json.clear();
    // V8 keeps a concatenated string as a tree of its parts. The copy is one string.
    this.#json.set(signature, Buffer.from(json, "latin1").toString("latin1"));
  }
}

/** The memo of an object, undefined for an object that is not kept between requests. */
export type FindResponseMemo = (object: unknown) => ResponseMemo | undefined;

export const findResponseMemo: FindResponseMemo = (object) => {
  const attachment = attachmentOf(object);
  if (!attachment) return undefined;
  attachment.content ??= new ResponseMemo();
  return attachment.content as ResponseMemo;
};

export const noResponseMemo: FindResponseMemo = () => undefined;

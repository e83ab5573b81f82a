import type { FastifyRequest } from "fastify";
import type { Caller } from "../domain/access/caller.js";
import type { OperationEvent } from "../graphql/operations.js";

/** What a door finds out about a request, for the line and the metrics that tell of it in the end. */
export interface RequestNotes {
  /** Null while nobody known is calling. */
  caller: Caller | null;
  /** Null for what never became a GraphQL operation. */
  operation: OperationEvent | null;
  /** Of the errors answered. */
  readonly codes: string[];
}

const notes = new WeakMap<FastifyRequest, RequestNotes>();

/** The request's notes, blank at first. */
export function notesOf(request: FastifyRequest): RequestNotes {
  let found = notes.get(request);
  if (!found) {
    found = { caller: null, operation: null, codes: [] };
    notes.set(request, found);
  }
  return found;
}

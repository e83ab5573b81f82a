import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Caller } from "../../domain/shared/caller.js";
import type { OperationEvent } from "../../graphql/pipeline/executeOperation.js";

/** What a door finds out about a request, for the line and the metrics that tell of it in the end. */
export interface RequestRecord {
  /** Null while nobody known is calling. */
  caller: Caller | null;
  /** Null for what never became a GraphQL operation. */
  operation: OperationEvent | null;
  /** Of the errors answered. */
  readonly codes: string[];
}

declare module "fastify" {
  interface FastifyRequest {
    notes: RequestRecord | null;
  }
}

/**
 * To be called before the first notes are taken. They are the request's own: what a long-lived WeakMap or Set is told of
 * short-lived things survives with all that hangs on it until the old generation is collected.
 */
export const addRequestRecord = (server: FastifyInstance): void => void server.decorateRequest("notes", null);

/** The request's notes, blank at first. */
export function requestRecordOf(request: FastifyRequest): RequestRecord {
  request.notes ??= { caller: null, operation: null, codes: [] };
  return request.notes;
}

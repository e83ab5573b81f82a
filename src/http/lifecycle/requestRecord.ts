import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Caller } from "../../domain/shared/caller.js";
import type { OperationEvent } from "../../graphql/pipeline/operation.js";

/** The data that a request collects for its log line and its metrics. */
export interface RequestRecord {
  /** Null until the caller is authenticated. */
  caller: Caller | null;
  /** Null for a request that is not a GraphQL operation, or was refused before it became one. */
  operation: OperationEvent | null;
  /** The codes of the errors in the answer. */
  readonly codes: string[];
}

declare module "fastify" {
  interface FastifyRequest {
    record: RequestRecord | null;
  }
}

/**
 * Must be called before the first use of requestRecordOf. The record is a property of the request: in a long-lived WeakMap
 * it would stay in memory, with everything it refers to, until V8 collects its old generation.
 */
export const addRequestRecord = (server: FastifyInstance): void =>
  void server.decorateRequest("record", null);

/** The record of a request, which is created at the first call. */
export function requestRecordOf(request: FastifyRequest): RequestRecord {
  request.record ??= { caller: null, operation: null, codes: [] };
  return request.record;
}

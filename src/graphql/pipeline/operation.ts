import type { GraphQLError, OperationTypeNode } from "graphql";
import type { RequestClient } from "../../domain/request.js";
import type { Caller } from "../../domain/shared/caller.js";
import type { Logger } from "../../log.js";
import type { Json } from "../executor/json.js";

/** An operation as a client states it. */
export interface OperationParameters {
  /** The document's text; empty if the extensions name it by its hash. */
  readonly query: string;
  readonly operationName?: string | null | undefined;
  readonly variables?: Record<string, unknown> | null | undefined;
  readonly extensions?: unknown;
}

/** The request that brought an operation, as the endpoint knows it. */
export interface OperationRequest {
  readonly caller: Caller;
  readonly requestId: string;
  readonly log: Logger;
  /** True for a GET, which may carry queries and subscriptions, but no mutation. */
  readonly readOnly: boolean;
  /** Whether the response can carry a stream of results. Otherwise a subscription is refused. */
  readonly acceptsStream: boolean;
  /** The id of the last event that the client of a stream has received, from its header Last-Event-ID; null without one. */
  readonly lastEventId?: string | null;
  /** Null without a client that can leave. */
  readonly client: RequestClient | null;
  /** Called once: after a single result was made, or when a stream of results has ended. */
  readonly onEnd: (event: OperationEvent) => void;
}

/** One result: of a query, a mutation or one event of a subscription. */
export interface OperationResult {
  /** Undefined if nothing was executed. */
  readonly data?: Json;
  readonly errors?: readonly GraphQLError[];
  /** The id by which the client of a stream can resume after this result. */
  readonly eventId?: string;
}

/** An operation that has ended, for the request's log line and the metrics. */
export interface OperationEvent {
  /** The operation's name, a client's text of any length. Null without a name, and if no operation was chosen. */
  readonly name: string | null;
  readonly type: OperationTypeNode | null;
  /** False for an operation that was refused. */
  readonly executed: boolean;
  readonly milliseconds: number;
  /**
   * The codes of all errors in the response: in its errors lists and as typed errors of mutations. A stream of results
   * names each code once.
   */
  readonly codes: readonly string[];
}

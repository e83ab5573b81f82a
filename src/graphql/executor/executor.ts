import type { DocumentNode, GraphQLError, GraphQLSchema, OperationDefinitionNode } from "graphql";
import type { Json } from "./json.js";

/** One operation of a document that passed validation. */
export interface ValidOperation {
  readonly schema: GraphQLSchema;
  readonly document: DocumentNode;
  readonly definition: OperationDefinitionNode;
}

export interface OperationVariables {
  /** As the client sent them. */
  readonly given: Readonly<Record<string, unknown>>;
  /** As graphql-js' getVariableValues returns them for `given`. */
  readonly coerced: Readonly<Record<string, unknown>>;
}

export interface ExecutorResult {
  /** Absent if the operation did not begin. "null" if an error reached the root. */
  readonly data?: Json;
  /** Absent if there are none. Their originalError is the error that a resolver threw. */
  readonly errors?: readonly GraphQLError[];
}

/**
 * Executes one operation, as often as it is requested. A subscription's source is opened by graphql-js'
 * createSourceEventStream; an executor then gives the single result for each event.
 * It never throws: an error that a resolver throws becomes an error of the result.
 */
export interface Executor {
  /** @param rootValue the event of a subscription's source, for which its operation is executed once. */
  execute(
    context: unknown,
    variables: OperationVariables,
    rootValue?: unknown,
  ): Promise<ExecutorResult> | ExecutorResult;
}

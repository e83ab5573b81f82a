import { OperationTypeNode } from "graphql";
import { fastPaths } from "../../fastPaths.js";
import type { Executor, ValidOperation } from "./executor.js";
import { GraphQLJsExecutor } from "./graphqlJsExecutor.js";
import { PlannedExecutor } from "./planned/plannedExecutor.js";

/**
 * Queries run on the planned executor. Mutations and the events of subscriptions always run on graphql-js, because mutations
 * spend their time waiting for Telegram and events are rare.
 */
export function createExecutor(operation: ValidOperation): Executor {
  const isQuery = operation.definition.operation === OperationTypeNode.QUERY;
  return fastPaths.plannedExecutor && isQuery
    ? new PlannedExecutor(operation)
    : new GraphQLJsExecutor(operation);
}

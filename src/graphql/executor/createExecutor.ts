import { OperationTypeNode } from "graphql";
import { fastPaths } from "../../fastPaths.js";
import type { Executor, ValidOperation } from "./executor.js";
import { GraphQLJsExecutor } from "./graphqlJsExecutor.js";
import { PlannedExecutor } from "./planned/plannedExecutor.js";

/**
 * Queries take the planned executor. Mutations spend their time waiting for Telegram, and the events of subscriptions
 * are rare: both take graphql-js always.
 */
export function createExecutor(operation: ValidOperation): Executor {
  const isQuery = operation.definition.operation === OperationTypeNode.QUERY;
  return fastPaths.plannedExecutor && isQuery
    ? new PlannedExecutor(operation)
    : new GraphQLJsExecutor(operation);
}

// What: Executes queries by a prepared plan and writes JSON text directly. Plain twin: ../graphqlJsExecutor.ts.
// Measured: W1 0.91 (0.56) instead of 1.87 (0.56) CPU ms of Node.js (and PostgreSQL) per request, 1.64 times (200,000 links,
//   2026-11-26, `npm run bench -- --only fast-paths`); docs/decisions/0001-executor.md.
// To remove: delete planned/ (which includes the response memo) with its tests, graphqlInternals.ts, and
//   domain/shared/attachment.ts with its use in tagCache.ts; remove PURE_FIELD from nodes/tag.ts and builder/plugin.ts, and
//   `plannedExecutor` and `responseMemo` from fastPaths.ts; let createExecutor.ts always take GraphQLJsExecutor.

import { GraphQLError } from "graphql";
import type { Executor, ExecutorResult, OperationVariables, ValidOperation } from "../executor.js";
import { decidingVariables, ExecutionPlan } from "./executionPlan.js";
import { executePlan } from "./run.js";

/** The largest number of plans that are kept for one operation. Beyond it, a plan is made for each request. */
const MAX_PLANS = 8;
/** The longest key of a kept plan, in characters. */
const MAX_KEY_LENGTH = 200;

/** Keeps one plan for each combination of the variables that stand at `@skip` and `@include`. */
export class PlannedExecutor implements Executor {
  readonly #operation: ValidOperation;
  readonly #deciding: readonly string[];
  readonly #plans = new Map<string, ExecutionPlan>();

  constructor(operation: ValidOperation) {
    this.#operation = operation;
    this.#deciding = decidingVariables(operation.document);
  }

  execute(context: unknown, { coerced }: OperationVariables): Promise<ExecutorResult> | ExecutorResult {
    try {
      return executePlan(this.#plan(coerced), context, coerced);
    } catch (error) {
      // A directive at one of the operation's root fields cannot be read.
      if (error instanceof GraphQLError) return { data: "null", errors: [error] };
      throw error;
    }
  }

  #plan(variables: OperationVariables["coerced"]): ExecutionPlan {
    const deciding = Object.fromEntries(this.#deciding.map((name) => [name, variables[name]]));
    const key = JSON.stringify(deciding);
    const existing = this.#plans.get(key);
    if (existing) return existing;
    const plan = new ExecutionPlan(this.#operation, deciding);
    if (this.#plans.size < MAX_PLANS && key.length <= MAX_KEY_LENGTH) this.#plans.set(key, plan);
    return plan;
  }
}

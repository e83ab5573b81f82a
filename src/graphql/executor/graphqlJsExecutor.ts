import { execute } from "graphql";
import type { Executor, ExecutorResult, OperationVariables, ValidOperation } from "./executor.js";
import { jsonOf } from "./json.js";

/** The plain twin of planned/: graphql-js executes the operation, and JSON.stringify writes the result. */
export class GraphQLJsExecutor implements Executor {
  readonly #operation: ValidOperation;

  constructor(operation: ValidOperation) {
    this.#operation = operation;
  }

  async execute(
    contextValue: unknown,
    { given }: OperationVariables,
    rootValue?: unknown,
  ): Promise<ExecutorResult> {
    const { schema, document, definition } = this.#operation;
    const { data, errors } = await execute({
      schema,
      document,
      operationName: definition.name?.value ?? null,
      contextValue,
      rootValue,
      // graphql-js coerces variables itself, and coercing twice would change some.
      variableValues: given,
    });
    return { ...(data !== undefined && { data: jsonOf(data) }), ...(errors && { errors }) };
  }
}

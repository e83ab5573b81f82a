import type { Caller } from "../../domain/shared/caller.js";
import type { OperationVariables } from "../executor/executor.js";
import type { OperationResult } from "./operation.js";
import type { PreparedOperation } from "./preparedOperation.js";

/** How long a result is shared, in milliseconds. Subscribers get the same event within moments of each other. */
const SHARED_MS = 200;

interface Shared {
  readonly result: Promise<OperationResult>;
  readonly at: number;
}

/** The rights on which a result can depend. A caller has no other influence on the result of an event. */
const rightsOf = ({ role, chatIds }: Caller): readonly unknown[] => [role, chatIds && [...chatIds].sort()];

/**
 * Results of events, which subscribers with the same operation, variables and rights share: a thousand subscribers of a
 * channel then read an event's link once.
 */
export class SharedResults {
  readonly #ofEvents = new WeakMap<object, Map<string, Shared>>();
  readonly #operationIds = new WeakMap<PreparedOperation, number>();
  #operations = 0;

  /** @returns the function that gives the result of an event for one subscription, by `execute` unless it is shared */
  forSubscription(
    operation: PreparedOperation,
    { given }: OperationVariables,
    caller: Caller,
  ): (event: unknown, execute: () => Promise<OperationResult>) => Promise<OperationResult> {
    const variables = JSON.stringify(given);
    const operationId = this.#operationId(operation);
    return async (event, execute) => {
      if (typeof event !== "object" || event === null) return execute();
      const ofEvent = this.#ofEvents.get(event) ?? new Map<string, Shared>();
      this.#ofEvents.set(event, ofEvent);
      // Rights can change while a subscription goes on: a chat gets another id.
      const key = JSON.stringify([operationId, rightsOf(caller), variables]);
      const known = ofEvent.get(key);
      if (known && performance.now() - known.at < SHARED_MS) {
        const result = await known.result;
        // An error names the request.
        return result.errors ? execute() : result;
      }
      const result = execute();
      ofEvent.set(key, { result, at: performance.now() });
      return result;
    };
  }

  #operationId(operation: PreparedOperation): number {
    const known = this.#operationIds.get(operation);
    if (known !== undefined) return known;
    this.#operations += 1;
    this.#operationIds.set(operation, this.#operations);
    return this.#operations;
  }
}

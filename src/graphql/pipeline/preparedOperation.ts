import {
  type DocumentNode,
  type FragmentDefinitionNode,
  GraphQLError,
  GraphQLIncludeDirective,
  type GraphQLSchema,
  GraphQLSkipDirective,
  getNamedType,
  getNullableType,
  getVariableValues,
  isListType,
  Kind,
  type OperationDefinitionNode,
  typeFromAST,
  type VariableNode,
  visit,
} from "graphql";
import { LRUCache } from "lru-cache";
import { createExecutor } from "../executor/createExecutor.js";
import type { Executor } from "../executor/executor.js";
import { complete } from "./errors.js";
import { type Cost, checkCost, costOf } from "./limits.js";

type Variables = Record<string, unknown>;

/** The largest number of costs that are kept for one operation. The one that was not used for the longest time is dropped. */
const MAX_COSTS = 100;
/** The most characters of the key under which a cost is kept. */
const MAX_KEY = 200;
/** The types of which only the presence of a value can change the cost. */
const OF_PRESENCE: readonly string[] = ["Boolean", "ID", "String", "TelegramID"];

/** The variables whose values can change the cost, such as a page's size, a series' times and unit, lists and input objects. */
function costVariables(
  schema: GraphQLSchema,
  { variableDefinitions = [] }: OperationDefinitionNode,
): string[] {
  const ofCost = variableDefinitions.filter((definition) => {
    const type = typeFromAST(schema, definition.type as never);
    return isListType(getNullableType(type)) || !OF_PRESENCE.includes(getNamedType(type)?.name ?? "");
  });
  return ofCost.map(({ variable }) => variable.name.value);
}

const CONDITIONS: readonly string[] = [GraphQLIncludeDirective.name, GraphQLSkipDirective.name];

/** The variables at `@include` and `@skip`, in an operation and in the fragments that it spreads. */
function conditionsOf(document: DocumentNode, operation: OperationDefinitionNode): readonly VariableNode[] {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const conditions: VariableNode[] = [];
  // Iterating over a set includes the fragments that are added meanwhile, each once.
  const reached = new Set<OperationDefinitionNode | FragmentDefinitionNode>([operation]);
  for (const definition of reached) {
    visit(definition, {
      FragmentSpread({ name }) {
        const fragment = fragments.get(name.value);
        if (fragment) reached.add(fragment);
      },
      Directive({ name, arguments: given = [] }) {
        if (!CONDITIONS.includes(name.value)) return;
        for (const { value } of given) if (value.kind === Kind.VARIABLE) conditions.push(value);
      },
    });
  }
  return conditions;
}

/**
 * The part of a cost's key for a variable whose value does not change the cost: d if the default applies, n for null or an
 * empty text, which constrains nothing, and g for any other value.
 */
const presenceOf = (value: unknown): string =>
  value === undefined ? "d" : value === null || value === "" ? "n" : "g";

/** An operation of a valid document, with everything that its requests share. */
export class PreparedOperation {
  readonly document: DocumentNode;
  readonly definition: OperationDefinitionNode;
  readonly executor: Executor;
  readonly #schema: GraphQLSchema;
  readonly #costVariables: readonly string[];
  /** The other variables, such as a part of a name. Only whether they are given matters for the cost. */
  readonly #otherVariables: readonly string[];
  readonly #conditions: readonly VariableNode[];
  readonly #costs = new LRUCache<string, Cost>({ max: MAX_COSTS });

  constructor(schema: GraphQLSchema, document: DocumentNode, definition: OperationDefinitionNode) {
    this.#schema = schema;
    this.document = document;
    this.definition = definition;
    this.executor = createExecutor({ schema, document, definition });
    this.#costVariables = costVariables(schema, definition);
    this.#otherVariables = (definition.variableDefinitions ?? [])
      .map(({ variable }) => variable.name.value)
      .filter((name) => !this.#costVariables.includes(name));
    this.#conditions = conditionsOf(document, definition);
  }

  /** The variables' values as the schema's types read them. @throws GraphQLError for the first that does not fit. */
  readVariables(given: Variables): Variables {
    const { coerced, errors } = getVariableValues(
      this.#schema,
      this.definition.variableDefinitions ?? [],
      given,
      {
        maxErrors: 1,
      },
    );
    if (errors?.[0]) throw complete(errors[0], { code: "BAD_USER_INPUT" });
    this.#checkConditions(coerced ?? {});
    return coerced ?? {};
  }

  /**
   * Refuses null for a variable of `@include` or `@skip`. Validation lets a nullable variable with a default pass there,
   * and execution would report a null as an error of the request, as an error of a field, or not at all.
   */
  #checkConditions(variables: Variables): void {
    const missing = this.#conditions.find(({ name }) => variables[name.value] == null);
    if (missing === undefined) return;
    throw new GraphQLError(
      `Argument "if" of non-null type "Boolean!" must not be null: the variable "$${missing.name.value}" is.`,
      { nodes: missing, extensions: { code: "BAD_USER_INPUT" } },
    );
  }

  /**
   * What the operation costs.
   * @param given the variables as the client sent them.
   * @throws GraphQLError for an argument that does not fit its type.
   */
  costOf(given: Variables): Cost {
    // The default applies to an absent variable, not to null.
    const key = [
      ...this.#costVariables.map((name) => JSON.stringify(given[name]) ?? "absent"),
      ...this.#otherVariables.map((name) => presenceOf(given[name])),
    ].join();
    let cost = this.#costs.get(key);
    if (cost === undefined) {
      cost = costOf(this.#schema, this.document, this.definition, given);
      if (key.length <= MAX_KEY) this.#costs.set(key, cost);
    }
    return cost;
  }

  /**
   * @returns the cost with these variables, as the client sent them.
   * @throws GraphQLError for an operation that is too deep or too costly.
   */
  checkCost(given: Variables): number {
    const cost = this.costOf(given);
    checkCost(cost);
    return cost.complexity;
  }
}

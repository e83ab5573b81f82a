import {
  type DocumentNode,
  type FragmentDefinitionNode,
  GraphQLError,
  GraphQLIncludeDirective,
  GraphQLSkipDirective,
  getNamedType,
  getVariableValues,
  isInputObjectType,
  isListType,
  isNonNullType,
  Kind,
  type OperationDefinitionNode,
  typeFromAST,
  type VariableNode,
  visit,
} from "graphql";
import { createExecutor } from "../executor/createExecutor.js";
import type { Executor } from "../executor/executor.js";
import { schema } from "../schema.js";
import { complete } from "./errors.js";
import { type Cost, checkCost, costOf } from "./limits.js";

type Variables = Record<string, unknown>;

/** Of an operation; past these they are worked out for each request. */
const MOST_COSTS = 100;
/** Of the variables that a cost hangs on, in characters. */
const LONGEST_KEY = 200;
const NUMBERS: readonly string[] = ["Int", "Float"];

/** The variables that can make an operation cost more: numbers, such as a page's size, lists, and objects with such. */
function countingVariables({ variableDefinitions = [] }: OperationDefinitionNode): string[] {
  const counting = variableDefinitions.filter((definition) => {
    const type = typeFromAST(schema, definition.type as never);
    const inner = isNonNullType(type) ? type.ofType : type;
    const named = getNamedType(inner);
    return isListType(inner) || isInputObjectType(named) || NUMBERS.includes(named?.name ?? "");
  });
  return counting.map(({ variable }) => variable.name.value);
}

const CONDITIONS: readonly string[] = [GraphQLIncludeDirective.name, GraphQLSkipDirective.name];

/** The variables at `@include` and `@skip`, in an operation and in the fragments that it spreads. */
function conditionsOf(document: DocumentNode, operation: OperationDefinitionNode): readonly VariableNode[] {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const conditions: VariableNode[] = [];
  // A set gives what is added while it is read, and each fragment once.
  const asked = new Set<OperationDefinitionNode | FragmentDefinitionNode>([operation]);
  for (const definition of asked) {
    visit(definition, {
      FragmentSpread({ name }) {
        const fragment = fragments.get(name.value);
        if (fragment) asked.add(fragment);
      },
      Directive({ name, arguments: given = [] }) {
        if (!CONDITIONS.includes(name.value)) return;
        for (const { value } of given) if (value.kind === Kind.VARIABLE) conditions.push(value);
      },
    });
  }
  return conditions;
}

/** A letter for whether a variable is given: its default stands for one that is not, and an empty text constrains nothing. */
const presenceOf = (value: unknown): string =>
  value === undefined ? "d" : value === null || value === "" ? "n" : "g";

/** Looks a value up, or works it out and keeps it while there is room. */
function kept<Value>(known: Map<string, Value>, most: number, key: string, make: () => Value): Value {
  const found = known.get(key);
  if (found !== undefined) return found;
  const made = make();
  if (known.size < most && key.length <= LONGEST_KEY) known.set(key, made);
  return made;
}

/** An operation of a valid document, with everything about it that its requests share. */
export class PreparedOperation {
  readonly document: DocumentNode;
  readonly definition: OperationDefinitionNode;
  readonly executor: Executor;
  readonly #counting: readonly string[];
  /** The other variables: such as a part of a name, of which only matters whether it is given. */
  readonly #others: readonly string[];
  readonly #conditions: readonly VariableNode[];
  readonly #costs = new Map<string, Cost>();

  constructor(document: DocumentNode, definition: OperationDefinitionNode) {
    this.document = document;
    this.definition = definition;
    this.executor = createExecutor({ schema, document, definition });
    this.#counting = countingVariables(definition);
    this.#others = (definition.variableDefinitions ?? [])
      .map(({ variable }) => variable.name.value)
      .filter((name) => !this.#counting.includes(name));
    this.#conditions = conditionsOf(document, definition);
  }

  /** The variables' values. @throws GraphQLError for the first that is not acceptable. */
  readVariables(given: Variables): Variables {
    const { coerced, errors } = getVariableValues(schema, this.definition.variableDefinitions ?? [], given, {
      maxErrors: 1,
    });
    if (errors?.[0]) throw complete(errors[0], { code: "BAD_USER_INPUT" });
    this.#checkConditions(coerced ?? {});
    return coerced ?? {};
  }

  /**
   * A variable that may be null is allowed at `@include` and `@skip` where it has a default, and may be null still.
   * Execution would notice it at one place as an error of the request, at another as one of a field, or not at all.
   */
  #checkConditions(variables: Variables): void {
    const missing = this.#conditions.find(({ name }) => variables[name.value] == null);
    if (missing === undefined) return;
    throw new GraphQLError(
      `Argument "if" of non-null type "Boolean!" must not be null: the variable "$${missing.name.value}" is.`,
      { nodes: missing, extensions: { code: "BAD_USER_INPUT" } },
    );
  }

  /** Refuses what would cost too much with these variables, as they came. @throws GraphQLError */
  checkCost(given: Variables): void {
    // One that is not given has its default, which a null has not.
    const key = [
      ...this.#counting.map((name) => JSON.stringify(given[name]) ?? "absent"),
      ...this.#others.map((name) => presenceOf(given[name])),
    ].join();
    checkCost(
      kept(this.#costs, MOST_COSTS, key, () => costOf(schema, this.document, this.definition, given)),
    );
  }
}

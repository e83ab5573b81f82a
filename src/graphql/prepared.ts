import {
  type DocumentNode,
  getNamedType,
  getVariableValues,
  isInputObjectType,
  isListType,
  isNonNullType,
  type OperationDefinitionNode,
  typeFromAST,
} from "graphql";
import { complete } from "./errors.js";
import { decidingVariables, Plan } from "./execution/plan.js";
import { type Cost, checkCost, costOf } from "./limits.js";
import { schema } from "./schema.js";

type Variables = Record<string, unknown>;

/** Of an operation; past these they are worked out for each request. */
const MOST_PLANS = 8;
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
  readonly #counting: readonly string[];
  readonly #deciding: readonly string[];
  readonly #costs = new Map<string, Cost>();
  readonly #plans = new Map<string, Plan>();

  constructor(document: DocumentNode, definition: OperationDefinitionNode) {
    this.document = document;
    this.definition = definition;
    this.#counting = countingVariables(definition);
    this.#deciding = decidingVariables(document);
  }

  /** The variables' values. @throws GraphQLError for the first that is not of its type. */
  readVariables(given: Variables): Variables {
    const { coerced, errors } = getVariableValues(schema, this.definition.variableDefinitions ?? [], given, {
      maxErrors: 1,
    });
    if (errors?.[0]) throw complete(errors[0], { code: "BAD_USER_INPUT" });
    return coerced ?? {};
  }

  /** Refuses what would cost too much with these variables, as they came. @throws GraphQLError */
  checkCost(given: Variables): void {
    // One that is not given has its default, which a null has not.
    const key = this.#counting.map((name) => JSON.stringify(given[name]) ?? "absent").join();
    checkCost(
      kept(this.#costs, MOST_COSTS, key, () => costOf(schema, this.document, this.definition, given)),
    );
  }

  /** How it is executed with these variables, as they were read. @throws GraphQLError */
  plan(variables: Variables): Plan {
    const deciding = Object.fromEntries(this.#deciding.map((name) => [name, variables[name]]));
    return kept(
      this.#plans,
      MOST_PLANS,
      JSON.stringify(deciding),
      () => new Plan(schema, this.document, this.definition, deciding),
    );
  }
}

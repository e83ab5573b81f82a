import { complexityFromQuery } from "@pothos/plugin-complexity";
import {
  type ASTVisitor,
  type DocumentNode,
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLSchema,
  getVariableValues,
  Kind,
  type OperationDefinitionNode,
  type ValidationContext,
} from "graphql";
import { computedUnderFilters } from "../nodes/filterCost.js";
import { complete } from "./errors.js";

/** More than any of our clients' documents has, less than hurts. The body's size is limited at the door. */
export const LIMITS = {
  /** Of a document: more than as many tokens of ids have. */
  characters: 200_000,
  tokens: 2_000,
  /** Fields within fields, fragments counted where they are spread. */
  depth: 12,
  /** Brackets within brackets in a document, selection sets with their fragments, and lists and objects in variables. */
  nesting: 64,
  /** Texts, numbers, lists and objects in all variables together, or in the extensions. */
  values: 50_000,
  aliases: 30,
  /** Fields asked for, each as often as the sizes of pages around it say. */
  cost: 25_000,
} as const;

export const refusal = (code: string, message: string): GraphQLError =>
  new GraphQLError(message, { extensions: { code } });

/** As many aliases an alias in introspection counts as, since the cost says nothing of the whole schema's size. */
const INTROSPECTION_ALIAS = 10;

const isOfIntrospection = (name: string | undefined): boolean => name?.startsWith("__") === true;

/** Counts aliases, which let one document ask the same thing again and again. */
export function maxAliasesRule(context: ValidationContext): ASTVisitor {
  let aliases = 0;
  return {
    Field({ alias, name }) {
      if (alias === undefined) return;
      const isIntrospection =
        isOfIntrospection(context.getParentType()?.name) ||
        (isOfIntrospection(name.value) && name.value !== "__typename");
      aliases += isIntrospection ? INTROSPECTION_ALIAS : 1;
    },
    Document: {
      leave() {
        if (aliases > LIMITS.aliases) {
          context.reportError(
            refusal(
              "QUERY_TOO_MANY_ALIASES",
              `The document has ${aliases} aliases, one in introspection counted as ${INTROSPECTION_ALIAS}; at most ${LIMITS.aliases} are taken.`,
            ),
          );
        }
      },
    },
  };
}

/** A document that has more of something is not read to its end. */
export const tooLong = (what: "characters" | "tokens"): GraphQLError =>
  refusal("QUERY_TOO_LONG", `The document has more than ${LIMITS[what]} ${what}.`);

/** Counting reads the arguments, and meets what is wrong with them first. */
function readingArguments<T>(count: () => T): T {
  try {
    return count();
  } catch (error) {
    if (error instanceof GraphQLError) throw complete(error, { code: "BAD_USER_INPUT" });
    throw error;
  }
}

/** How much an operation asks for; introspection costs nothing here. */
export interface Cost {
  readonly complexity: number;
  readonly depth: number;
}

/**
 * What an operation costs with these variables, as they came.
 * @throws GraphQLError
 */
export function costOf(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  variables: Record<string, unknown>,
): Cost {
  const fragments = document.definitions.filter(
    (definition): definition is FragmentDefinitionNode => definition.kind === Kind.FRAGMENT_DEFINITION,
  );
  const asked: DocumentNode = { kind: Kind.DOCUMENT, definitions: [operation, ...fragments] };
  return readingArguments(() => {
    const { complexity, depth } = complexityFromQuery(asked, { schema, variables, ctx: {} });
    const { coerced = {} } = getVariableValues(schema, operation.variableDefinitions ?? [], variables);
    return { complexity: complexity + computedUnderFilters(schema, operation, fragments, coerced), depth };
  });
}

/** Refuses what is too deep, or costs too much. @throws GraphQLError */
export function checkCost({ complexity, depth }: Cost): void {
  if (depth > LIMITS.depth) {
    throw refusal(
      "QUERY_TOO_DEEP",
      `The operation is ${depth} levels deep; at most ${LIMITS.depth} are taken.`,
    );
  }
  if (complexity > LIMITS.cost) {
    throw refusal(
      "QUERY_TOO_COSTLY",
      `The operation costs ${complexity}; at most ${LIMITS.cost} is taken. Ask for smaller pages.`,
    );
  }
}

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
import { complete } from "./errors.js";
import { computedUnderFilters } from "./filterCost.js";

/** More than any of our clients' documents has, less than hurts. The body's size is limited at the door. */
export const LIMITS = {
  tokens: 2_000,
  /** Fields within fields, fragments counted where they are spread. */
  depth: 12,
  /** Brackets within brackets in a document, selection sets with their fragments, and lists and objects in variables. */
  nesting: 64,
  aliases: 30,
  /** Fields asked for, each as often as the sizes of pages around it say. */
  cost: 25_000,
} as const;

export const refusal = (code: string, message: string): GraphQLError =>
  new GraphQLError(message, { extensions: { code } });

/** Counts aliases, which let one document ask the same thing again and again. */
export function maxAliasesRule(context: ValidationContext): ASTVisitor {
  let aliases = 0;
  return {
    Field(field) {
      if (field.alias !== undefined) aliases += 1;
    },
    Document: {
      leave() {
        if (aliases > LIMITS.aliases) {
          context.reportError(
            refusal(
              "QUERY_TOO_MANY_ALIASES",
              `The document has ${aliases} aliases; at most ${LIMITS.aliases} are taken.`,
            ),
          );
        }
      },
    },
  };
}

/** A document that has more tokens is not read to its end. */
export const tooManyTokens = (): GraphQLError =>
  refusal("QUERY_TOO_LONG", `The document has more than ${LIMITS.tokens} tokens.`);

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

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
  visit,
} from "graphql";
import { computedUnderFilters } from "../nodes/filterCost.js";
import { costOfSums } from "../nodes/sumsCost.js";
import { complete } from "./errors.js";

/** The limits are larger than the project's own clients need. The HTTP server also limits the size of a body. */
export const LIMITS = {
  /** Characters of a document. 2,000 tokens, each a global id, have fewer. */
  characters: 200_000,
  tokens: 2_000,
  /** Levels of fields within fields, with fragments counted where they are spread. */
  depth: 12,
  /** Levels of brackets in a document, of selection sets with their fragments, and of lists and objects in variables. */
  nesting: 64,
  /** Values in all variables together, or in the extensions: texts, numbers, lists and objects. */
  values: 50_000,
  aliases: 30,
  /** Directives at one place. There are @skip and @include, each at most once. */
  directives: 4,
  /** Selected fields, each multiplied by the sizes of the pages around it. */
  cost: 25_000,
} as const;

export const refusal = (code: string, message: string): GraphQLError =>
  new GraphQLError(message, { extensions: { code } });

/** The number of aliases that one alias in introspection counts for, because the cost does not include introspection. */
const INTROSPECTION_ALIAS = 10;

const isOfIntrospection = (name: string | undefined): boolean => name?.startsWith("__") === true;

/** Counts aliases, because they let one document select the same field many times. */
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
              `The document has ${aliases} aliases, one in introspection counted as ${INTROSPECTION_ALIAS}; at most ${LIMITS.aliases} are accepted.`,
            ),
          );
        }
      },
    },
  };
}

/** The error for a document that is not read to its end, because it is too long. */
export const tooLong = (what: "characters" | "tokens"): GraphQLError =>
  refusal("QUERY_TOO_LONG", `The document has more than ${LIMITS[what]} ${what}.`);

/**
 * Limits the directives at one place, each of which would be an error of its own. To be called before validation.
 * @throws GraphQLError
 */
export function checkDirectives(document: DocumentNode): void {
  visit(document, {
    enter(node) {
      const count = "directives" in node ? (node.directives?.length ?? 0) : 0;
      if (count > LIMITS.directives) {
        throw refusal(
          "QUERY_TOO_MANY_DIRECTIVES",
          `The document has ${count} directives at one place; at most ${LIMITS.directives} are accepted.`,
        );
      }
    },
  });
}

/** Gives errors about arguments their code. Computing the cost reads the arguments before the execution does. */
function readingArguments<T>(count: () => T): T {
  try {
    return count();
  } catch (error) {
    if (error instanceof GraphQLError) throw complete(error, { code: "BAD_USER_INPUT" });
    throw error;
  }
}

/** The cost of an operation. Introspection costs nothing. */
export interface Cost {
  readonly complexity: number;
  readonly depth: number;
}

/**
 * @param variables as the client sent them.
 * @throws GraphQLError for an argument that does not fit its type.
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
  const selected: DocumentNode = { kind: Kind.DOCUMENT, definitions: [operation, ...fragments] };
  return readingArguments(() => {
    const { complexity, depth } = complexityFromQuery(selected, { schema, variables, ctx: {} });
    const { coerced = {} } = getVariableValues(schema, operation.variableDefinitions ?? [], variables);
    const further =
      computedUnderFilters(schema, operation, fragments, coerced) +
      costOfSums(schema, operation, fragments, coerced);
    return { complexity: complexity + further, depth };
  });
}

/** @throws GraphQLError for an operation that is too deep or too costly. */
export function checkCost({ complexity, depth }: Cost): void {
  if (depth > LIMITS.depth) {
    throw refusal(
      "QUERY_TOO_DEEP",
      `The operation is ${depth} levels deep; at most ${LIMITS.depth} are accepted.`,
    );
  }
  if (complexity > LIMITS.cost) {
    throw refusal(
      "QUERY_TOO_COSTLY",
      `The operation costs ${complexity}; at most ${LIMITS.cost} is accepted. Select smaller pages.`,
    );
  }
}

import {
  type ASTVisitor,
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  getOperationAST,
  parse,
  specifiedRules,
  type ValidationContext,
  type ValidationRule,
  ValuesOfCorrectTypeRule,
  validate,
} from "graphql";
import { LRUCache } from "lru-cache";
import { complete } from "./errors.js";
import { checkDirectives, maxAliasesRule } from "./limits.js";
import { checkFragments, checkTokens } from "./nesting.js";
import { PreparedOperation } from "./preparedOperation.js";

/** The most characters of all cached documents. A parsed document takes about a hundred times its text in memory. */
const CACHE_CHARACTERS = 300_000;
const MAX_VALIDATION_ERRORS = 20;

/** A valid document, with its prepared operations by name; null stands for a document's only operation. */
interface CachedDocument {
  readonly document: DocumentNode;
  readonly operations: Map<string | null, PreparedOperation>;
}

/** The document cannot be executed: it does not parse, is too long or too nested, or does not fit the schema. */
export class DocumentRefusedError extends Error {
  override readonly name = "DocumentRefusedError";
  readonly errors: readonly GraphQLError[];

  constructor(errors: readonly GraphQLError[]) {
    super("The document cannot be executed.");
    this.errors = errors;
  }
}

/** A literal that does not fit its type is a fault of the input rather than of the document's form. */
const inputValuesRule: ValidationRule = (context: ValidationContext): ASTVisitor =>
  ValuesOfCorrectTypeRule(
    Object.create(context, {
      reportError: {
        value: (error: GraphQLError) => context.reportError(complete(error, { code: "BAD_USER_INPUT" })),
      },
    }) as ValidationContext,
  );

const RULES: readonly ValidationRule[] = [
  ...specifiedRules.map((rule) => (rule === ValuesOfCorrectTypeRule ? inputValuesRule : rule)),
  maxAliasesRule,
];

/** @throws GraphQLError with a code. */
function parseDocument(query: string): DocumentNode {
  try {
    checkTokens(query);
    const document = parse(query);
    checkDirectives(document);
    return document;
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    throw complete(error, { code: "GRAPHQL_PARSE_FAILED" });
  }
}

/** @throws DocumentRefusedError */
function validDocument(schema: GraphQLSchema, query: string): DocumentNode {
  try {
    const document = parseDocument(query);
    checkFragments(schema, document);
    const errors = validate(schema, document, RULES, { maxErrors: MAX_VALIDATION_ERRORS });
    if (errors.length > 0) throw new DocumentRefusedError(errors);
    return document;
  } catch (error) {
    if (error instanceof GraphQLError) throw new DocumentRefusedError([error]);
    throw error;
  }
}

/** Why a document cannot be executed with a schema; null if it can. */
export function problemOf(schema: GraphQLSchema, query: string): string | null {
  try {
    validDocument(schema, query);
    return null;
  } catch (error) {
    if (!(error instanceof DocumentRefusedError)) throw error;
    return error.errors[0]?.message ?? error.message;
  }
}

/** Parses and validates documents, each once while it stays in the cache. */
export class Documents {
  readonly #schema: GraphQLSchema;
  readonly #cache = new LRUCache<string, CachedDocument>({
    maxSize: CACHE_CHARACTERS,
    sizeCalculation: (_document, query) => query.length + 1,
  });

  constructor(schema: GraphQLSchema) {
    this.#schema = schema;
  }

  /**
   * The operation that a request names in its document, or the document's only operation if `name` is null.
   * @throws DocumentRefusedError
   */
  operation(query: string, name: string | null): PreparedOperation {
    const cached = this.#cache.get(query) ?? this.#read(query);
    const prepared = cached.operations.get(name);
    if (prepared) return prepared;
    const { document, operations } = cached;
    const definition = getOperationAST(document, name);
    if (!definition) {
      const message = name
        ? `There is no operation ${JSON.stringify(name)} in the document.`
        : "The document has several operations. Name the one to execute in operationName.";
      throw new DocumentRefusedError([
        new GraphQLError(message, { extensions: { code: "GRAPHQL_VALIDATION_FAILED" } }),
      ]);
    }
    const operation = new PreparedOperation(this.#schema, document, definition);
    operations.set(name, operation);
    return operation;
  }

  #read(query: string): CachedDocument {
    const cached = { document: validDocument(this.#schema, query), operations: new Map() };
    this.#cache.set(query, cached);
    return cached;
  }
}

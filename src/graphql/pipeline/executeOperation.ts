import {
  type ASTVisitor,
  type DocumentNode,
  GraphQLError,
  getOperationAST,
  type OperationDefinitionNode,
  OperationTypeNode,
  parse,
  specifiedRules,
  type ValidationContext,
  type ValidationRule,
  ValuesOfCorrectTypeRule,
  validate,
} from "graphql";
import { LRUCache } from "lru-cache";
import { resultUnreadable } from "../../domain/links/persistResult.js";
import type { Domain } from "../../domain/request.js";
import type { Caller } from "../../domain/shared/caller.js";
import type { Logger } from "../../log.js";
import { GraphQLContext } from "../builder/context.js";
import type { Json } from "../executor/json.js";
import { schema } from "../schema.js";
import {
  BAD_REQUEST,
  complete,
  type HttpExtension,
  isOfDatabase,
  locatedAs,
  shortened,
  toShown,
  withoutSuggestions,
} from "./errors.js";
import { maxAliasesRule } from "./limits.js";
import { checkExtensions, checkFragments, checkTokens, checkVariables } from "./nesting.js";
import { PreparedOperation } from "./preparedOperation.js";

export interface OperationParameters {
  readonly query: string;
  readonly operationName?: string | null | undefined;
  readonly variables?: Record<string, unknown> | null | undefined;
  readonly extensions?: unknown;
}

/** What the door knows of a request. */
export interface OperationRequest {
  readonly caller: Caller;
  readonly requestId: string;
  readonly log: Logger;
  /** A GET: queries alone. */
  readonly readOnly: boolean;
  /** A signal that is aborted when the client has gone before it was answered; null where there is none that could. */
  readonly clientAbort: (() => AbortSignal) | null;
  readonly onEnd: (event: OperationEvent) => void;
}

/** What an operation came to. */
export interface OperationResult {
  /** Undefined where nothing was executed. */
  readonly data?: Json;
  readonly errors?: readonly GraphQLError[];
}

/** What became of an operation. */
export interface OperationEvent {
  /** Null without one, and where none could be chosen from the document. A caller's text, of any length. */
  readonly name: string | null;
  readonly type: OperationTypeNode | null;
  /** False for what was refused. */
  readonly executed: boolean;
  readonly milliseconds: number;
  /** Of every error answered: those of the result's errors, and those that mutations gave as types. */
  readonly codes: readonly string[];
}

export interface OperationsOptions {
  readonly domain: Domain;
  /** Whether errors may name fields that were perhaps meant. */
  readonly suggestions: boolean;
}

/** Characters of documents that are kept parsed: in memory they take some hundred times as much. */
const CACHE_CHARACTERS = 300_000;
const MAX_VALIDATION_ERRORS = 20;
/** In characters: graphql-js repeats names and values, which can be as long as a request. */
const LONGEST_MESSAGE = 1_000;

/** How far an operation got. */
interface Course {
  operation?: OperationDefinitionNode;
  context?: GraphQLContext;
}

/** A document that was read, with those of its operations that were asked for, by name. */
interface Prepared {
  readonly document: DocumentNode;
  readonly operations: Map<string | null, PreparedOperation>;
}

/** A value in the document that its type does not take is the caller's input, not the document's form. */
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
function readDocument(query: string): DocumentNode {
  try {
    checkTokens(query);
    return parse(query);
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    throw complete(error, { code: "GRAPHQL_PARSE_FAILED" });
  }
}

function parseAndValidate(query: string): Prepared | { readonly errors: readonly GraphQLError[] } {
  try {
    const document = readDocument(query);
    checkFragments(document);
    const errors = validate(schema, document, RULES, { maxErrors: MAX_VALIDATION_ERRORS });
    return errors.length > 0 ? { errors } : { document, operations: new Map() };
  } catch (error) {
    if (error instanceof GraphQLError) return { errors: [error] };
    throw error;
  }
}

function chooseOperation({ document, operations }: Prepared, name: string | null): PreparedOperation {
  const known = operations.get(name);
  if (known) return known;
  const definition = getOperationAST(document, name);
  if (definition) {
    const operation = new PreparedOperation(document, definition);
    operations.set(name, operation);
    return operation;
  }
  throw new GraphQLError(
    name
      ? `There is no operation ${JSON.stringify(name)} in the document.`
      : "The document has several operations: say in operationName which is meant.",
    { extensions: { code: "GRAPHQL_VALIDATION_FAILED" } },
  );
}

function requireReading(operation: OperationDefinitionNode): void {
  if (operation.operation === OperationTypeNode.QUERY) return;
  const http: HttpExtension = { status: 405, headers: { Allow: "POST" } };
  throw new GraphQLError("A GET carries queries alone; send this by POST.", {
    extensions: { code: "METHOD_NOT_ALLOWED", http },
  });
}

/**
 * The one way in which an operation is executed, whatever door it came through: parsed and validated (once for each
 * document), held against the limits, executed as its caller, and freed of everything that is not the caller's to see.
 */
export class Operations {
  readonly #domain: Domain;
  readonly #suggestions: boolean;
  readonly #prepared = new LRUCache<string, Prepared>({
    maxSize: CACHE_CHARACTERS,
    sizeCalculation: (_prepared, query) => query.length + 1,
  });

  constructor({ domain, suggestions }: OperationsOptions) {
    this.#domain = domain;
    this.#suggestions = suggestions;
  }

  /** Never throws: what nobody planned for becomes an error of the result, too. */
  async run(parameters: OperationParameters, request: OperationRequest): Promise<OperationResult> {
    const started = performance.now();
    const course: Course = {};
    const result = await this.#run(parameters, request, course).catch((error: Error): OperationResult => {
      const unexpected = new GraphQLError("unexpected", { originalError: error });
      return {
        errors: [complete(toShown(unexpected, request.requestId, request.log), { http: { status: 500 } })],
      };
    });
    const { operation, context } = course;
    request.onEnd({
      name: operation?.name?.value ?? null,
      type: operation?.operation ?? null,
      executed: context !== undefined,
      milliseconds: performance.now() - started,
      codes: [
        ...(result.errors ?? []).map(({ extensions }) => String(extensions["code"])),
        ...(context?.givenErrors ?? []).map(({ code }) => code),
      ],
    });
    return result;
  }

  async #run(
    parameters: OperationParameters,
    request: OperationRequest,
    course: Course,
  ): Promise<OperationResult> {
    const prepared = this.#prepare(parameters.query);
    if ("errors" in prepared) return this.#refused(prepared.errors, request);
    const given = parameters.variables ?? {};
    let operation: PreparedOperation;
    let coerced: Record<string, unknown>;
    try {
      operation = chooseOperation(prepared, parameters.operationName || null);
      course.operation = operation.definition;
      if (request.readOnly) requireReading(operation.definition);
      checkVariables(given);
      checkExtensions(parameters.extensions);
      coerced = operation.readVariables(given);
      operation.checkCost(given);
    } catch (error) {
      if (error instanceof GraphQLError) return this.#refused([error], request);
      throw error;
    }
    const context = new GraphQLContext(this.#domain, request);
    course.context = context;
    const result = await operation.executor.execute(context, { given, coerced });
    if (!result.errors) return result;
    for (const { originalError } of result.errors) this.#domain.storageGuard.noteFailure(originalError);
    const { hasChangedTelegram } = context;
    const errors = result.errors.map((error) => {
      const shown = toShown(error, request.requestId, request.log);
      if (!hasChangedTelegram || !isOfDatabase(shown)) return this.#worded(shown);
      return toShown(locatedAs(error, resultUnreadable()), request.requestId, request.log);
    });
    // An answer with holes would be taken for the whole, by what keeps answers above all.
    return errors.some(isOfDatabase) ? { errors } : { ...result, errors };
  }

  #prepare(query: string): ReturnType<typeof parseAndValidate> {
    const known = this.#prepared.get(query);
    if (known) return known;
    const prepared = parseAndValidate(query);
    if ("document" in prepared) this.#prepared.set(query, prepared);
    return prepared;
  }

  /** Nothing was executed. */
  #refused(errors: readonly GraphQLError[], { requestId }: OperationRequest): OperationResult {
    const missing = { http: BAD_REQUEST, requestId };
    return {
      // What has no code by now is said by graphql-js of the document.
      errors: errors.map((error) =>
        this.#worded(complete(error, { code: "GRAPHQL_VALIDATION_FAILED", ...missing })),
      ),
    };
  }

  #worded(error: GraphQLError): GraphQLError {
    const short = shortened(error, LONGEST_MESSAGE);
    return this.#suggestions ? short : withoutSuggestions(short);
  }
}

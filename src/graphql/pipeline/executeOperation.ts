import {
  // biome-ignore lint/suspicious/noDeprecatedImports: only the form with positional arguments is deprecated.
  createSourceEventStream,
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  OperationTypeNode,
} from "graphql";
import { type RightsLoss, RightsWatch } from "../../domain/access/rightsWatch.js";
import { resultUnreadable } from "../../domain/links/persistResult.js";
import type { Domain } from "../../domain/request.js";
import { DatabaseUnavailableError, ForbiddenError, RateLimitedError } from "../../domain/shared/errors.js";
import type { Tracing } from "../../tracing/tracing.js";
import { GraphQLContext } from "../builder/context.js";
import type { OperationVariables } from "../executor/executor.js";
import { jsonOf } from "../executor/json.js";
import { DocumentRefusedError, Documents } from "./documents.js";
import {
  BAD_REQUEST,
  complete,
  type HttpExtension,
  isOfDatabase,
  locatedAs,
  rateLimited,
  shortened,
  toShown,
  withoutSuggestions,
} from "./errors.js";
import { checkExtensions, checkVariables } from "./nesting.js";
import type { OperationParameters, OperationRequest, OperationResult } from "./operation.js";
import type { PersistedDocuments } from "./persistedDocuments.js";
import type { PreparedOperation } from "./preparedOperation.js";
import { ResultStream } from "./resultStream.js";
import { SharedResults } from "./sharedResults.js";

export interface OperationsOptions {
  readonly domain: Domain;
  readonly schema: GraphQLSchema;
  /** Whether error messages may suggest fields that the client perhaps meant. */
  readonly suggestions: boolean;
  /** The documents that clients may name by a hash. */
  readonly persisted: PersistedDocuments;
  /** Default: operations are not traced. */
  readonly tracing?: Tracing | null;
}

/** An operation that was refused before its execution. */
export interface RefusedOperation {
  readonly errors: readonly GraphQLError[];
}

/** An operation that passed all checks. */
export interface ExecutableOperation {
  readonly document: DocumentNode;
  /** Returns one result, or a stream of results for a subscription. Never throws. To be called once. */
  execute(): Promise<OperationResult | ResultStream>;
}

/** The most characters of an error message. graphql-js repeats names and values, which can be as long as a request. */
const MAX_MESSAGE = 1_000;

function checkType({ definition }: PreparedOperation, { readOnly, acceptsStream }: OperationRequest): void {
  const type = definition.operation;
  if (readOnly && type === OperationTypeNode.MUTATION) {
    const http: HttpExtension = { status: 405, headers: { Allow: "POST" } };
    throw new GraphQLError("A GET request carries no mutation. Send the mutation by POST.", {
      extensions: { code: "METHOD_NOT_ALLOWED", http },
    });
  }
  if (!acceptsStream && type === OperationTypeNode.SUBSCRIPTION) {
    const http: HttpExtension = { status: 406 };
    throw new GraphQLError("A subscription is answered as an event stream. Send Accept: text/event-stream.", {
      extensions: { code: "NOT_ACCEPTABLE", http },
    });
  }
}

/** The source of a subscription whose clients can resume after each event. */
interface ResumableSource {
  idOf(event: unknown): string;
}

const isResumable = (source: object): source is ResumableSource => "idOf" in source;

const codesOf = ({ errors = [] }: OperationResult): string[] =>
  errors.map(({ extensions }) => String(extensions["code"]));

/** One operation on its way through the pipeline. */
class OperationRun {
  readonly request: OperationRequest;
  readonly #started = performance.now();
  /** Undefined until the document was read and one of its operations chosen. */
  operation: PreparedOperation | undefined;
  /** What it costs the caller, once it has passed all checks. */
  cost = 0;
  /** The codes of all errors, once the operation has ended. */
  codes: readonly string[] = [];

  constructor(request: OperationRequest) {
    this.request = request;
  }

  end(executed: boolean, codes: readonly string[]): void {
    this.codes = codes;
    const definition = this.operation?.definition;
    this.request.onEnd({
      name: definition?.name?.value ?? null,
      type: definition?.operation ?? null,
      executed,
      milliseconds: performance.now() - this.#started,
      codes,
    });
  }
}

/**
 * The one way in which operations are executed, with Yoga and without: parsing and validation (once for each document),
 * limits, execution as the caller, masking of errors, and one event for the log line and the metrics. Queries and
 * mutations give one result, subscriptions a stream of results; every step treats both alike.
 */
export class Operations {
  readonly schema: GraphQLSchema;
  readonly #domain: Domain;
  readonly #suggestions: boolean;
  readonly #persisted: PersistedDocuments;
  readonly #tracing: Tracing | null;
  readonly #documents: Documents;
  readonly #rights: RightsWatch;
  readonly #sharedResults = new SharedResults();
  readonly #streams = new Set<ResultStream>();
  #isClosing = false;

  constructor({ domain, schema, suggestions, persisted, tracing = null }: OperationsOptions) {
    this.schema = schema;
    this.#domain = domain;
    this.#suggestions = suggestions;
    this.#persisted = persisted;
    this.#tracing = tracing;
    this.#documents = new Documents(schema);
    this.#rights = new RightsWatch(domain.database);
  }

  /** Never throws: an unexpected error becomes an error of the result. */
  async executeOperation(
    parameters: OperationParameters,
    request: OperationRequest,
  ): Promise<OperationResult | ResultStream> {
    const operation = this.prepare(parameters, request);
    return "errors" in operation ? operation : operation.execute();
  }

  /** The first half of executeOperation: everything up to the execution. Never throws. */
  prepare(
    parameters: OperationParameters,
    request: OperationRequest,
  ): ExecutableOperation | RefusedOperation {
    const run = new OperationRun(request);
    const given = parameters.variables ?? {};
    try {
      const text = this.#persisted.textOf(parameters);
      const operation = this.#documents.operation(text, parameters.operationName || null);
      this.#persisted.keep(parameters);
      run.operation = operation;
      checkType(operation, request);
      checkVariables(given);
      checkExtensions(parameters.extensions);
      const variables: OperationVariables = { given, coerced: operation.readVariables(given) };
      run.cost = operation.checkCost(given);
      return { document: operation.document, execute: () => this.#traced(run, operation, variables) };
    } catch (error) {
      const errors = this.#refusal(error, request);
      run.end(false, codesOf({ errors }));
      return { errors };
    }
  }

  /** Ends all streams of results when the server closes, and from then on each new one at once. */
  closeStreams(): void {
    this.#isClosing = true;
    for (const stream of this.#streams) stream.end();
  }

  #refusal(error: unknown, request: OperationRequest): readonly GraphQLError[] {
    const refused =
      error instanceof DocumentRefusedError ? error.errors : error instanceof GraphQLError ? [error] : null;
    if (refused === null) return this.#unexpected(error, request).errors;
    const missing = { code: "GRAPHQL_VALIDATION_FAILED", http: BAD_REQUEST, requestId: request.requestId };
    // Only graphql-js' own errors about the document have no code yet.
    return refused.map((one) => this.#worded(complete(one, missing)));
  }

  #traced(
    run: OperationRun,
    operation: PreparedOperation,
    variables: OperationVariables,
  ): Promise<OperationResult | ResultStream> {
    if (this.#tracing === null) return this.#execute(run, operation, variables);
    const { name, operation: type } = operation.definition;
    return this.#tracing.runOperation(
      { name: name?.value ?? null, type },
      () => this.#execute(run, operation, variables),
      () => run.codes,
    );
  }

  async #execute(
    run: OperationRun,
    operation: PreparedOperation,
    variables: OperationVariables,
  ): Promise<OperationResult | ResultStream> {
    const { request } = run;
    let context: GraphQLContext | undefined;
    let result: OperationResult;
    try {
      if (this.#domain.rateLimit) await this.#domain.rateLimit.spend(request.caller, run.cost);
      context = new GraphQLContext(this.#domain, request);
      const isSubscription = operation.definition.operation === OperationTypeNode.SUBSCRIPTION;
      const made = isSubscription
        ? await this.#openSource(operation, context, variables)
        : await operation.executor.execute(context, variables);
      if (Symbol.asyncIterator in made) return this.#stream(made, run, operation, variables);
      result = this.#shown(made, context, request);
    } catch (error) {
      result = this.#unexpected(error, request);
    }
    run.end(context !== undefined, [
      ...codesOf(result),
      ...(context?.givenErrors ?? []).map(({ code }) => code),
    ]);
    return result;
  }

  /** The events of a subscription's source, or one result that says why the source could not be opened. */
  async #openSource(
    { document, definition }: PreparedOperation,
    contextValue: GraphQLContext,
    { given }: OperationVariables,
  ): Promise<OperationResult | AsyncIterable<unknown>> {
    const source = await createSourceEventStream({
      schema: this.schema,
      document,
      operationName: definition.name?.value ?? null,
      contextValue,
      variableValues: given,
    });
    if (Symbol.asyncIterator in source) return source;
    const { data, errors } = source;
    return { ...(data !== undefined && { data: jsonOf(data) }), ...(errors && { errors }) };
  }

  /**
   * The stream of a subscription. It ends when its source ends, its client leaves, its caller loses rights or the server
   * closes.
   */
  #stream(
    source: AsyncIterable<unknown>,
    run: OperationRun,
    operation: PreparedOperation,
    variables: OperationVariables,
  ): ResultStream {
    const { request } = run;
    const signal = request.client?.leaving;
    const shared = this.#sharedResults.forSubscription(operation, variables, request.caller);
    const stream = new ResultStream({
      events: source[Symbol.asyncIterator](),
      // A context for events that are executed together, because what loaders have read is outdated later.
      resultsOf: (events) => {
        const context = new GraphQLContext(this.#domain, request);
        return Promise.all(
          events.map((event) =>
            shared(event, async () => {
              const result = await operation.executor.execute(context, variables, event);
              const shown = this.#shown(result, context, request);
              return isResumable(source) ? { ...shown, eventId: source.idOf(event) } : shown;
            }),
          ),
        );
      },
      failureOf: (error) => this.#unexpected(error, request),
      onEnd: (codes) => {
        this.#streams.delete(stream);
        signal?.removeEventListener("abort", leave);
        unwatch();
        run.end(true, codes);
      },
      log: request.log,
    });
    const leave = () => stream.end();
    const unwatch = this.#rights.watch(request.caller, (loss) => {
      const reason = this.#lossResult(loss, request);
      // The rights cannot be read while the database is away. They are read again when the client reconnects.
      if (loss === "unknown") stream.interrupt(reason);
      else stream.revoke(reason);
    });
    this.#streams.add(stream);
    if (signal?.aborted || this.#isClosing) stream.end();
    else signal?.addEventListener("abort", leave);
    return stream;
  }

  /** The last result of a stream whose caller has lost rights. */
  #lossResult(loss: RightsLoss, { requestId, log }: OperationRequest): OperationResult {
    if (loss === "revoked") {
      const extensions = { code: "UNAUTHENTICATED", requestId };
      return { errors: [new GraphQLError("The API token was revoked.", { extensions })] };
    }
    const originalError =
      loss === "lessened"
        ? new ForbiddenError("The API token has fewer rights than before. Subscribe again.")
        : new DatabaseUnavailableError("unreachable");
    return { errors: [toShown(new GraphQLError(originalError.message, { originalError }), requestId, log)] };
  }

  /** The result as the caller may see it. */
  #shown(
    result: OperationResult,
    { hasChangedTelegram }: GraphQLContext,
    { requestId, log }: OperationRequest,
  ): OperationResult {
    if (!result.errors) return result;
    for (const { originalError } of result.errors) this.#domain.storageGuard.recordFailure(originalError);
    const errors = result.errors.map((error) => {
      const shown = toShown(error, requestId, log);
      if (!hasChangedTelegram || !isOfDatabase(shown)) return this.#worded(shown);
      return toShown(locatedAs(error, resultUnreadable()), requestId, log);
    });
    // Clients, and above all their caches, could take a result with gaps for a complete one.
    return errors.some(isOfDatabase) ? { errors } : { ...result, errors };
  }

  #unexpected(error: unknown, { requestId, log }: OperationRequest): RefusedOperation {
    const originalError = error instanceof Error ? error : new Error(String(error));
    const unexpected = new GraphQLError("unexpected", { originalError });
    const http = error instanceof RateLimitedError ? rateLimited(error) : { status: 500 };
    return { errors: [complete(toShown(unexpected, requestId, log), { http })] };
  }

  #worded(error: GraphQLError): GraphQLError {
    const short = shortened(error, MAX_MESSAGE);
    return this.#suggestions ? short : withoutSuggestions(short);
  }
}

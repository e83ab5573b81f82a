import { type ExecutionResult, GraphQLError } from "graphql";
import type { GraphQLParams, Plugin } from "graphql-yoga";
import { parseJson } from "../executor/json.js";
import { type HttpExtension, reword } from "./errors.js";
import type { ExecutableOperation, Operations } from "./executeOperation.js";
import type { OperationParameters, OperationRequest, OperationResult } from "./operation.js";
import { namesHash } from "./persistedDocuments.js";
import { ResultStream } from "./resultStream.js";

/** Yoga's server context for one request. */
export interface PipelineContext extends OperationRequest {
  /** The result if the fast path has already executed the operation; otherwise null. */
  readonly result: OperationResult | null;
  /** Called with the code of each error of a request that is not a GraphQL request. */
  readonly onMalformed: (code: string) => void;
  /** Called with the results of a subscription, which the endpoint sends itself. Yoga's own response is dropped then. */
  readonly onStream: (results: ResultStream) => void;
  /** Set when Yoga parses the request. */
  readonly operation?: ExecutableOperation;
}

const badRequest = (message: string): GraphQLError =>
  new GraphQLError(message, { extensions: { code: "BAD_REQUEST", http: { status: 400 } } });

/** @throws GraphQLError for a parameter that Yoga has not checked. */
function readParameters({ query, operationName, variables, extensions }: GraphQLParams): OperationParameters {
  if (operationName != null && typeof operationName !== "string")
    throw badRequest("operationName must be a string.");
  return { query: query ?? "", operationName, variables, extensions };
}

const toYogaResult = ({ data, ...rest }: OperationResult): ExecutionResult =>
  data === undefined ? rest : { ...rest, data: parseJson(data) as Record<string, unknown> };

async function executed({ operation, onStream }: PipelineContext): Promise<ExecutionResult> {
  if (!operation) throw new TypeError("Yoga executes an operation that it has not parsed.");
  const result = await operation.execute();
  if (!(result instanceof ResultStream)) return toYogaResult(result);
  onStream(result);
  return {};
}

/**
 * The pipeline as a Yoga plugin. Yoga speaks HTTP: it reads the parameters, and writes single results as JSON or as
 * server-sent events. The steps between belong to the pipeline, which replaces Yoga's own parsing, validation, execution and
 * subscription. The endpoint writes the results of subscriptions.
 */
export function pipelinePlugin(operations: Operations): Plugin<PipelineContext, PipelineContext> {
  return {
    onPluginInit: ({ setSchema }) => setSchema(operations.schema),
    onParams({ params, context, setParams, setResult }) {
      // Yoga asks for a text where the pipeline finds it by its hash.
      if (params.query == null && namesHash(params.extensions)) setParams({ ...params, query: "" });
      if (context.result) setResult(toYogaResult(context.result));
    },
    onParse({ context, extendContext, setParseFn }) {
      setParseFn(() => {
        const prepared = operations.prepare(readParameters(context.params), context);
        // Yoga reports all errors of an AggregateError in one result.
        if ("errors" in prepared) throw new AggregateError(prepared.errors, "refused");
        extendContext({ operation: prepared });
        return prepared.document;
      });
    },
    // The pipeline has validated the document.
    onValidate: ({ setResult }) => setResult([]),
    onExecute: ({ args, setExecuteFn }) => setExecuteFn(() => executed(args.contextValue)),
    onSubscribe: ({ args, setSubscribeFn }) => setSubscribeFn(() => executed(args.contextValue)),
    onResultProcess({ result, setResult, serverContext: { requestId, onMalformed } }) {
      // Errors without a request id come from Yoga: the request never became an operation.
      const { errors } = result as ExecutionResult;
      if (!errors?.some(({ extensions }) => extensions["requestId"] === undefined)) return;
      const shown = errors.map((error) => {
        const { code = "BAD_REQUEST", http } = error.extensions as { code?: string; http?: HttpExtension };
        onMalformed(code);
        // Status 400 in every media type.
        return reword(error, error.message, { code, requestId, http: { status: 400, ...http, spec: false } });
      });
      setResult({ ...result, errors: shown });
    },
  };
}

import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { GraphQLError } from "graphql";
import { createYoga, type YogaServerInstance } from "graphql-yoga";
import type { RateLimit } from "../../domain/access/rateLimit.js";
import { toUserError } from "../../domain/shared/databaseErrors.js";
import { DatabaseUnavailableError } from "../../domain/shared/errors.js";
import { fastPaths } from "../../fastPaths.js";
import { bytesOf } from "../../graphql/executor/json.js";
import { databaseUnavailable } from "../../graphql/pipeline/errors.js";
import type { Operations } from "../../graphql/pipeline/executeOperation.js";
import type { OperationRequest, OperationResult } from "../../graphql/pipeline/operation.js";
import { ResultStream } from "../../graphql/pipeline/resultStream.js";
import { type PipelineContext, pipelinePlugin } from "../../graphql/pipeline/yogaPlugin.js";
import type { Logger } from "../../log.js";
import { authenticate } from "../lifecycle/authenticate.js";
import type { BearerTokens } from "../lifecycle/bearer.js";
import { ConnectedClient } from "../lifecycle/connectedClient.js";
import { refuseOtherMethods } from "../lifecycle/methods.js";
import { addRateLimitHeaders } from "../lifecycle/rateLimitHeaders.js";
import {
  addRequestFormat,
  isNestedTooDeep,
  names,
  negotiate,
  RequestRefusedError,
  tooDeep,
} from "../lifecycle/requestFormat.js";
import { requestRecordOf } from "../lifecycle/requestRecord.js";
import { EventStreams, type StreamReport } from "./eventStreams.js";
import { ordinaryOperation } from "./fastPath.js";
import { type GraphiQLOptions, GraphiQLPage } from "./graphiql.js";

export const GRAPHQL_PATH = "/graphql";

export interface GraphQLRouteOptions {
  readonly operations: Operations;
  readonly bearer: BearerTokens;
  /** Null: callers are not limited. */
  readonly rateLimit: RateLimit | null;
  readonly streamReport: StreamReport;
  /** Null: GraphiQL is not served. */
  readonly graphiql: GraphiQLOptions | null;
}

const EVENT_STREAM = "text/event-stream";
/** Media types of responses. Yoga is given the chosen one only, so that it refuses nothing after the execution. */
const RESPONSE_TYPES = ["application/json", "application/graphql-response+json", EVENT_STREAM] as const;

interface ErrorBody {
  readonly message: string;
  readonly code: string;
}

const UNAUTHENTICATED: ErrorBody = {
  message: "Send a valid API token: Authorization: Bearer <token>.",
  code: "UNAUTHENTICATED",
};
const TOO_LARGE: ErrorBody = { message: "The body is too large.", code: "PAYLOAD_TOO_LARGE" };
const NOT_ACCEPTABLE: ErrorBody = { message: "The request is not acceptable.", code: "BAD_REQUEST" };
const UNEXPECTED: ErrorBody = {
  message: "Something went wrong on the server; the request's id leads to it in the log.",
  code: "INTERNAL_SERVER_ERROR",
};

/** Sends an error of a request that never became an operation. */
function sendError(reply: FastifyReply, status: number, { message, code }: ErrorBody): FastifyReply {
  requestRecordOf(reply.request).codes.push(code);
  const error = new GraphQLError(message, { extensions: { code, requestId: reply.request.id } });
  return reply
    .code(status)
    .header("content-type", "application/json; charset=utf-8")
    .send(JSON.stringify({ errors: [error] }));
}

/** The error handler of the endpoint, for errors of its hooks and of its handler. */
function handleError(
  error: { readonly code?: string; readonly statusCode?: number },
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply | undefined {
  // The client has left, so nobody would read a response.
  if (error.code === "ERR_STREAM_PREMATURE_CLOSE") return undefined;
  if (error instanceof RequestRefusedError)
    return sendError(reply.headers(error.headers), error.statusCode, error);
  const { statusCode = 500 } = error;
  if (error.code === "FST_ERR_CTP_BODY_TOO_LARGE") return sendError(reply, statusCode, TOO_LARGE);
  if (statusCode < 500) return sendError(reply, statusCode, NOT_ACCEPTABLE);
  const userError = toUserError(error);
  // The database failed while the caller's token was read.
  if (userError instanceof DatabaseUnavailableError) {
    const { status, headers = {} } = databaseUnavailable(userError);
    return sendError(reply.headers(headers), status, userError);
  }
  request.log.error({ err: error }, "a request failed unexpectedly");
  return sendError(reply, 500, UNEXPECTED);
}

/** Whether a browser asks for GraphiQL: it prefers HTML to the media types of results. */
const wantsPage = ({ method, headers: { accept } }: FastifyRequest): boolean =>
  (method === "GET" || method === "HEAD") &&
  negotiate(accept, [...RESPONSE_TYPES, "text/html"]) === "text/html";

/** @throws RequestRefusedError for parameters of a GET that are JSON texts nested too deeply. */
function checkQueryDepth({ query }: FastifyRequest): void {
  const { variables, extensions } = query as Record<string, unknown>;
  const texts = [variables, extensions].flat().filter((text) => typeof text === "string");
  if (texts.some(isNestedTooDeep)) throw tooDeep();
}

/** The request's address with a fixed host: Yoga does not need the Host header, and not every Host makes an address. */
function yogaUrl({ raw }: FastifyRequest): string {
  const query = raw.url?.indexOf("?") ?? -1;
  return `http://localhost${GRAPHQL_PATH}${query < 0 ? "" : raw.url?.slice(query)}`;
}

/** The request with only those headers that Yoga decides by. */
function yogaInit({ method, answerType, body }: FastifyRequest): RequestInit {
  const headers = { accept: answerType ?? RESPONSE_TYPES[0] };
  return method === "POST"
    ? { method, headers: { ...headers, "content-type": "application/json" }, body: (body ?? "") as string }
    : { method: "GET", headers };
}

/** The header of a client that reconnects, if it has received an event with an id. */
function lastEventIdOf({ headers }: FastifyRequest): string | null {
  const id = headers["last-event-id"];
  return typeof id === "string" && id !== "" ? id : null;
}

const createYogaServer = (operations: Operations) =>
  createYoga<PipelineContext>({
    graphqlEndpoint: GRAPHQL_PATH,
    plugins: [pipelinePlugin(operations)],
    // Only JSON carries an operation: a page of another origin can send other types without asking for CORS.
    multipart: false,
    batching: false,
    cors: false,
    graphiql: false,
    landingPage: false,
    maskedErrors: false,
    parserAndValidationCache: false,
    logging: false,
  });

/** Answers operations of callers who are authenticated. */
class GraphQLHandler {
  readonly #operations: Operations;
  readonly #yoga: YogaServerInstance<PipelineContext, object>;
  readonly streams: EventStreams;

  constructor(operations: Operations, report: StreamReport) {
    this.streams = new EventStreams(report);
    this.#operations = operations;
    this.#yoga = createYogaServer(operations);
  }

  readonly handle = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    if (request.method !== "POST") checkQueryDepth(request);
    const operationRequest = this.#operationRequest(request, reply);
    const result = await this.#runPastYoga(request, operationRequest);
    if (result instanceof ResultStream) return this.#sendStream(result, reply);
    if (result && !result.errors) {
      return reply
        .header("content-type", `${request.answerType}; charset=utf-8`)
        .send(bytesOf(`{"data":${result.data}}`));
    }
    return this.#viaYoga(request, reply, operationRequest, result);
  };

  #operationRequest(request: FastifyRequest, reply: FastifyReply): OperationRequest {
    const record = requestRecordOf(request);
    if (record.caller === null) throw new TypeError("A request reached the endpoint unauthenticated.");
    return {
      caller: record.caller,
      requestId: request.id,
      log: request.log as Logger,
      readOnly: request.method !== "POST",
      // The preferred type is that of queries. HEAD has no body that could carry a stream, and nobody would end the stream.
      acceptsStream: names(request.headers.accept, EVENT_STREAM) && request.method !== "HEAD",
      lastEventId: lastEventIdOf(request),
      client: new ConnectedClient(reply),
      onEnd(operation) {
        record.operation = operation;
        record.codes.push(...operation.codes);
      },
    };
  }

  /** Executes an ordinary operation without Yoga. @returns null for every other request. */
  async #runPastYoga(
    request: FastifyRequest,
    operationRequest: OperationRequest,
  ): Promise<OperationResult | ResultStream | null> {
    if (!fastPaths.yogaShortcut || request.answerType === EVENT_STREAM) return null;
    const operation = ordinaryOperation(request);
    if (operation === null) return null;
    return this.#operations.executeOperation(operation, operationRequest);
  }

  /** @param result the result of the fast path, whose errors Yoga formats; null if nothing was executed yet. */
  async #viaYoga(
    request: FastifyRequest,
    reply: FastifyReply,
    operationRequest: OperationRequest,
    result: OperationResult | null,
  ): Promise<FastifyReply> {
    const record = requestRecordOf(request);
    let results: ResultStream | null = null;
    const context: PipelineContext = {
      result,
      onMalformed: (code) => record.codes.push(code),
      onStream(stream) {
        results = stream;
      },
      ...operationRequest,
    };
    const response = await this.#yoga.fetch(yogaUrl(request), yogaInit(request), context);
    if (results !== null) return this.#sendStream(results, reply);
    for (const [name, value] of response.headers) {
      // The server decides whether the connection is kept.
      if (name.toLowerCase() !== "connection") reply.header(name, value);
    }
    return reply.code(response.status).send(response.body ?? "");
  }

  #sendStream(results: ResultStream, reply: FastifyReply): FastifyReply {
    return reply
      .headers({
        "content-type": EVENT_STREAM,
        // No proxy may keep events back.
        "cache-control": "no-store, no-transform",
        "x-accel-buffering": "no",
        // A stream is the connection's last response: a closing server waits for no further request on the connection.
        connection: "close",
      })
      .send(this.streams.open(results, reply.raw));
  }
}

/** GraphQL over HTTP, with server-sent events for subscriptions, and GraphiQL for a browser. */
export function addGraphQL(
  server: FastifyInstance,
  { operations, bearer, rateLimit, streamReport, graphiql }: GraphQLRouteOptions,
): void {
  const { handle, streams } = new GraphQLHandler(operations, streamReport);
  server.addHook("preClose", async () => {
    // The responses end before the streams of results, so that they end without `complete`.
    streams.close();
    operations.closeStreams();
  });
  // A plugin of its own, because its hooks, body parser and form of errors apply to this endpoint only.
  server.register((endpoint, _options, registered) => {
    if (graphiql !== null) addGraphiQL(endpoint, new GraphiQLPage(graphiql));
    endpoint.addHook(
      "onRequest",
      authenticate(bearer, (reply) => sendError(reply, 401, UNAUTHENTICATED)),
    );
    // The body stays a text, which the fast path or Yoga parses.
    addRequestFormat(endpoint, {
      answers: RESPONSE_TYPES,
      parse: (_request, text, done) => done(null, text),
    });
    addRateLimitHeaders(endpoint, rateLimit);
    endpoint.setErrorHandler(handleError);
    endpoint.route({ url: GRAPHQL_PATH, method: ["GET", "POST"], handler: handle });
    refuseOtherMethods(endpoint, [GRAPHQL_PATH]);
    registered();
  });
}

/** The page needs no token, because it holds no data. */
function addGraphiQL(endpoint: FastifyInstance, page: GraphiQLPage): void {
  endpoint.addHook("onRequest", (request, reply, done) => {
    if (wantsPage(request)) page.send(request, reply).catch(done);
    else done();
  });
}

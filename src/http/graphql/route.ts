import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { type ExecutionResult, GraphQLError } from "graphql";
import { createYoga, type GraphQLParams, type Plugin } from "graphql-yoga";
import { toUserError } from "../../domain/shared/databaseErrors.js";
import { DatabaseUnavailableError } from "../../domain/shared/errors.js";
import { fastPaths } from "../../fastPaths.js";
import { bytesOf, parseJson } from "../../graphql/executor/json.js";
import { databaseUnavailable, type HttpExtension, reword } from "../../graphql/pipeline/errors.js";
import type {
  OperationParameters,
  OperationRequest,
  OperationResult,
  Operations,
} from "../../graphql/pipeline/executeOperation.js";
import type { Logger } from "../../log.js";
import type { BearerTokens } from "../lifecycle/bearer.js";
import { clientAbortSignal } from "../lifecycle/clientAbort.js";
import { refuseOtherMethods } from "../lifecycle/methods.js";
import {
  addRequestFormat,
  isNestedTooDeep,
  negotiate,
  RequestRefusedError,
  tooDeep,
} from "../lifecycle/requestFormat.js";
import { type RequestRecord, requestRecordOf } from "../lifecycle/requestRecord.js";
import { plainOperation } from "./fastPath.js";
import { type GraphiQLOptions, GraphiQLPage } from "./graphiql.js";

export const GRAPHQL_PATH = "/graphql";

export interface GraphQLDoorOptions {
  readonly operations: Operations;
  readonly bearer: BearerTokens;
  /** Null: no page. */
  readonly graphiql: GraphiQLOptions | null;
}

/** What the door hands through Yoga to the operation. */
interface DoorContext extends OperationRequest {
  readonly notes: RequestRecord;
  /** What the operation came to, where it was run already, by the shorter way. */
  readonly result: OperationResult | null;
}

const badRequest = (message: string): GraphQLError =>
  new GraphQLError(message, { extensions: { code: "BAD_REQUEST", http: { status: 400 } } });

/** What Yoga has not looked at in a request that is otherwise well-formed. */
function readParameters({ query, operationName, variables, extensions }: GraphQLParams): OperationParameters {
  if (operationName != null && typeof operationName !== "string")
    throw badRequest("operationName must be a string.");
  return { query: query ?? "", operationName, variables, extensions };
}

/** Clients that first send a document's hash alone know this answer, and send the document. */
function refuseHash({ query, extensions }: GraphQLParams): void {
  if (query != null || extensions?.["persistedQuery"] == null) return;
  throw new GraphQLError("PersistedQueryNotSupported", {
    extensions: { code: "PERSISTED_QUERY_NOT_SUPPORTED" },
  });
}

/** Yoga speaks HTTP; parsing, validation, limits, execution and masking are the one function's. */
function executedBy(operations: Operations): Plugin<object, DoorContext> {
  return {
    onParams({ params, setParamsHandler }) {
      refuseHash(params);
      setParamsHandler(async ({ params, context }) => {
        const request = context as DoorContext;
        const { data, ...rest } = request.result ?? (await operations.run(readParameters(params), request));
        return data === undefined ? rest : { ...rest, data: parseJson(data) as Record<string, unknown> };
      });
    },
    onResultProcess({ result, setResult, serverContext }) {
      // What never became an operation, such as a body that is no request: a bad one in every media type.
      const { errors } = result as ExecutionResult;
      if (!errors?.some(({ extensions }) => extensions["requestId"] === undefined)) return;
      const { requestId, notes } = serverContext as DoorContext;
      const shown = errors.map((error) => {
        const { code = "BAD_REQUEST", http } = error.extensions as { code?: string; http?: HttpExtension };
        notes.codes.push(code);
        return reword(error, error.message, { code, requestId, http: { status: 400, ...http, spec: false } });
      });
      setResult({ ...result, errors: shown });
    },
  };
}

/** The form of an answer to what never became an operation. */
function sendGraphQLError(
  reply: FastifyReply,
  status: number,
  error: { readonly message: string; readonly code: string },
): FastifyReply {
  const { message, code } = error;
  requestRecordOf(reply.request).codes.push(code);
  const failure = new GraphQLError(message, { extensions: { code, requestId: reply.request.id } });
  return reply
    .code(status)
    .header("content-type", "application/json; charset=utf-8")
    .send(JSON.stringify({ errors: [failure] }));
}

const FASTIFY_CODES: Record<string, { readonly message: string; readonly code: string }> = {
  FST_ERR_CTP_BODY_TOO_LARGE: { message: "The body is too large.", code: "PAYLOAD_TOO_LARGE" },
};

const EVENT_STREAM = "text/event-stream";
/** Media types of answers. Yoga is told the one that was chosen, so that it has none to refuse after it executed. */
const ANSWERS = ["application/json", "application/graphql-response+json", EVENT_STREAM] as const;

/** Whether a browser asks for GraphiQL, by preferring HTML to what operations are answered with. */
const wantsPage = ({ method, headers: { accept } }: FastifyRequest): boolean =>
  (method === "GET" || method === "HEAD") && negotiate(accept, [...ANSWERS, "text/html"]) === "text/html";

/** The parameters of a GET that are JSON texts. */
function checkQueryDepth({ query }: FastifyRequest): void {
  const { variables, extensions } = query as Record<string, unknown>;
  const texts = [variables, extensions].flat().filter((text) => typeof text === "string");
  if (texts.some(isNestedTooDeep)) throw tooDeep();
}

/** Nothing of the Host header: Yoga has no use for it, and not every text in it makes an address. */
function operationUrl({ raw }: FastifyRequest): string {
  const query = raw.url?.indexOf("?") ?? -1;
  return `http://localhost${GRAPHQL_PATH}${query < 0 ? "" : raw.url?.slice(query)}`;
}

/** Of the headers only what Yoga decides by. */
function operationInit({ method, answerType, body }: FastifyRequest): RequestInit {
  const headers = { accept: answerType ?? ANSWERS[0] };
  return method === "POST"
    ? { method, headers: { ...headers, "content-type": "application/json" }, body: (body ?? "") as string }
    : { method: "GET", headers };
}

/** GraphQL over HTTP, with GraphiQL for a browser. */
export function addGraphQL(
  server: FastifyInstance,
  { operations, bearer, graphiql }: GraphQLDoorOptions,
): void {
  const yoga = createYoga<DoorContext>({
    graphqlEndpoint: GRAPHQL_PATH,
    plugins: [executedBy(operations)],
    // Nothing but JSON carries an operation, so that no page elsewhere can send one without being asked for CORS.
    multipart: false,
    batching: false,
    cors: false,
    graphiql: false,
    landingPage: false,
    maskedErrors: false,
    parserAndValidationCache: false,
    logging: false,
  });

  const page = graphiql && new GraphiQLPage(graphiql);

  /** Before the body is read: nobody unknown has one kept here. */
  const authenticate = async (request: FastifyRequest, reply: FastifyReply) => {
    if (page && wantsPage(request)) return page.send(request, reply);
    const caller = await bearer.findCaller(request);
    requestRecordOf(request).caller = caller;
    if (caller !== null) return;
    reply.header("www-authenticate", 'Bearer realm="invite-links"');
    return sendGraphQLError(reply, 401, {
      message: "Send a valid API token: Authorization: Bearer <token>.",
      code: "UNAUTHENTICATED",
    });
  };

  const answer = async (request: FastifyRequest, reply: FastifyReply) => {
    const notes = requestRecordOf(request);
    const { caller } = notes;
    if (caller === null) throw new TypeError("A request got past the door unauthenticated.");
    if (request.method !== "POST") checkQueryDepth(request);
    const asked: OperationRequest = {
      caller,
      requestId: request.id,
      log: request.log as Logger,
      readOnly: request.method !== "POST",
      clientAbort: clientAbortSignal(reply),
      onEnd(operation) {
        notes.operation = operation;
        notes.codes.push(...operation.codes);
      },
    };
    // What most clients send needs nothing of what Yoga knows; only the form of errors is left to it.
    const type = request.answerType;
    const operation = fastPaths.yogaShortcut && type !== EVENT_STREAM ? plainOperation(request) : null;
    const result = operation && (await operations.run(operation, asked));
    if (result && !result.errors) {
      return reply.header("content-type", `${type}; charset=utf-8`).send(bytesOf(`{"data":${result.data}}`));
    }
    const context: DoorContext = { ...asked, notes, result };
    const response = await yoga.fetch(operationUrl(request), operationInit(request), context);
    for (const [name, value] of response.headers) {
      // Whether the connection is kept is the server's decision, not Yoga's.
      if (name.toLowerCase() !== "connection") reply.header(name, value);
    }
    return reply.code(response.status).send(response.body ?? "");
  };

  // Encapsulated: the parser and the form of errors are this door's alone.
  server.register((door, _options, registered) => {
    door.addHook("onRequest", authenticate);
    // As text: Yoga parses it.
    addRequestFormat(door, { answers: ANSWERS, parse: (_request, text, done) => done(null, text) });
    door.setErrorHandler((error: { code?: string; statusCode?: number }, request, reply) => {
      // The client left, and the answer's stream with it.
      if (error.code === "ERR_STREAM_PREMATURE_CLOSE") return;
      if (error instanceof RequestRefusedError)
        return sendGraphQLError(reply.headers(error.headers), error.statusCode, error);
      const known = FASTIFY_CODES[error.code ?? ""];
      if (known) return sendGraphQLError(reply, error.statusCode ?? 400, known);
      if (error.statusCode !== undefined && error.statusCode < 500) {
        return sendGraphQLError(reply, error.statusCode, {
          message: "The request is not acceptable.",
          code: "BAD_REQUEST",
        });
      }
      const unavailable = toUserError(error);
      // Whoever calls could not be found out.
      if (unavailable instanceof DatabaseUnavailableError) {
        const { status, headers = {} } = databaseUnavailable(unavailable);
        return sendGraphQLError(reply.headers(headers), status, unavailable);
      }
      request.log.error({ err: error }, "a request failed unexpectedly");
      return sendGraphQLError(reply, 500, {
        message: "Something went wrong on the server; the request's id leads to it in the log.",
        code: "INTERNAL_SERVER_ERROR",
      });
    });
    door.route({ url: GRAPHQL_PATH, method: ["GET", "POST"], handler: answer });
    refuseOtherMethods(door, [GRAPHQL_PATH]);
    registered();
  });
}

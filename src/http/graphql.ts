import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { type ExecutionResult, GraphQLError } from "graphql";
import { createYoga, type GraphQLParams, type Plugin } from "graphql-yoga";
import type { Authentication } from "../domain/access/authentication.js";
import { toUserError } from "../domain/databaseTrouble.js";
import { DatabaseUnavailableError } from "../domain/errors.js";
import { databaseUnavailable, type HttpExtension, reword } from "../graphql/errors.js";
import { bytesOf, parseJson } from "../graphql/execution/json.js";
import type {
  OperationParameters,
  OperationRequest,
  OperationResult,
  Operations,
} from "../graphql/operations.js";
import type { Logger } from "../log.js";
import { findCaller } from "./bearer.js";
import { goneSignal } from "./gone.js";
import { type GraphiQLOptions, graphiqlPage, wantsPage } from "./graphiql.js";
import { notesOf, type RequestNotes } from "./notes.js";
import { plainOperation, plainType } from "./plain.js";

export const GRAPHQL_PATH = "/graphql";

export interface GraphQLDoorOptions {
  readonly operations: Operations;
  readonly authentication: Authentication;
  /** Null: no page. */
  readonly graphiql: GraphiQLOptions | null;
}

/** What the door hands through Yoga to the operation. */
interface DoorContext extends OperationRequest {
  readonly notes: RequestNotes;
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
  notesOf(reply.request).codes.push(code);
  const failure = new GraphQLError(message, { extensions: { code, requestId: reply.request.id } });
  return reply
    .code(status)
    .header("content-type", "application/json; charset=utf-8")
    .send(JSON.stringify({ errors: [failure] }));
}

const FASTIFY_CODES: Record<string, { readonly message: string; readonly code: string }> = {
  FST_ERR_CTP_BODY_TOO_LARGE: { message: "The body is too large.", code: "PAYLOAD_TOO_LARGE" },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    message: "Send the operation as application/json.",
    code: "UNSUPPORTED_MEDIA_TYPE",
  },
};

/** Media types that an answer can have, and the ranges that hold them. Looked at first: Yoga would execute first. */
const ANSWERS = /^(\*\/\*|application\/(\*|json|graphql-response\+json)|text\/event-stream)$/;

function acceptsAnswer({ headers }: FastifyRequest): boolean {
  const ranges = (headers.accept ?? "*/*").toLowerCase().split(",");
  return ranges.some((range) => {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim());
    return ANSWERS.test(type) && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
  });
}

/** Nothing of the Host header: Yoga has no use for it, and not every text in it makes an address. */
function operationUrl({ raw }: FastifyRequest): string {
  const query = raw.url?.indexOf("?") ?? -1;
  return `http://localhost${GRAPHQL_PATH}${query < 0 ? "" : raw.url?.slice(query)}`;
}

/** Of the headers only what Yoga decides by. */
function operationInit({ method, headers, body }: FastifyRequest): RequestInit {
  const accept = headers.accept === undefined ? {} : { accept: headers.accept };
  return method === "POST"
    ? { method, headers: { ...accept, "content-type": "application/json" }, body: body as string }
    : { method: "GET", headers: accept };
}

/** GraphQL over HTTP, with GraphiQL for a browser. */
export function addGraphQL(
  server: FastifyInstance,
  { operations, authentication, graphiql }: GraphQLDoorOptions,
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

  /** Before the body is read: nobody unknown has one kept here. */
  const authenticate = async (request: FastifyRequest, reply: FastifyReply) => {
    if (graphiql && wantsPage(request)) {
      return reply
        .header("content-type", "text/html; charset=utf-8")
        .header("cache-control", "no-store")
        .header("x-frame-options", "DENY")
        .header("referrer-policy", "no-referrer")
        .send(graphiqlPage(request, graphiql));
    }
    const caller = await findCaller(authentication, request);
    notesOf(request).caller = caller;
    if (caller !== null) return;
    reply.header("www-authenticate", 'Bearer realm="invite-links"');
    return sendGraphQLError(reply, 401, {
      message: "Send a valid API token: Authorization: Bearer <token>.",
      code: "UNAUTHENTICATED",
    });
  };

  const answer = async (request: FastifyRequest, reply: FastifyReply) => {
    const notes = notesOf(request);
    const { caller } = notes;
    if (caller === null) throw new TypeError("A request got past the door unauthenticated.");
    if (!acceptsAnswer(request)) {
      return sendGraphQLError(reply, 406, {
        message: "Accept application/graphql-response+json or application/json.",
        code: "NOT_ACCEPTABLE",
      });
    }
    const asked: OperationRequest = {
      caller,
      requestId: request.id,
      log: request.log as Logger,
      readOnly: request.method !== "POST",
      gone: goneSignal(reply),
      onEnd(operation) {
        notes.operation = operation;
        notes.codes.push(...operation.codes);
      },
    };
    // What most clients send needs nothing of what Yoga knows; only the form of errors is left to it.
    const type = plainType(request.headers.accept);
    const operation = type && plainOperation(request);
    const result = operation && (await operations.run(operation, asked));
    if (result && !result.errors) {
      return reply.header("content-type", `${type}; charset=utf-8`).send(bytesOf(`{"data":${result.data}}`));
    }
    const context: DoorContext = { ...asked, notes, result };
    const response = await yoga.fetch(operationUrl(request), operationInit(request), context);
    for (const [name, value] of response.headers) reply.header(name, value);
    return reply.code(response.status).send(response.body ?? "");
  };

  // Encapsulated: the parser and the form of errors are this door's alone.
  server.register((door, _options, registered) => {
    door.addHook("onRequest", authenticate);
    door.removeAllContentTypeParsers();
    // As text: Yoga parses it.
    door.addContentTypeParser("application/json", { parseAs: "string" }, (_request, body, done) =>
      done(null, body),
    );
    door.setErrorHandler((error: { code?: string; statusCode?: number }, request, reply) => {
      // The client left, and the answer's stream with it.
      if (error.code === "ERR_STREAM_PREMATURE_CLOSE") return;
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
    const methods = ["GET", "POST"];
    door.route({ url: GRAPHQL_PATH, method: methods, handler: answer });
    door.route({
      url: GRAPHQL_PATH,
      method: ["PUT", "PATCH", "DELETE"],
      handler: async (_request, reply) =>
        sendGraphQLError(reply.header("allow", methods.join(", ")), 405, {
          message: "Send operations by POST, or queries by GET.",
          code: "METHOD_NOT_ALLOWED",
        }),
    });
    registered();
  });
}

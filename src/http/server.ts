import { randomUUID } from "node:crypto";
import cors from "@fastify/cors";
import fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
  type onRequestHookHandler,
} from "fastify";
import { type Logger, runForRequest } from "../log.js";
import { clientErrorHandler, type UnroutedRequest } from "./lifecycle/clientErrors.js";
import { type Connections, trackConnections } from "./lifecycle/connections.js";
import { addDrain } from "./lifecycle/drain.js";
import { addMethods } from "./lifecycle/methods.js";
import { addOptions } from "./lifecycle/options.js";
import { onRequestFinished } from "./lifecycle/requestFinished.js";
import { RequestRefusedError } from "./lifecycle/requestFormat.js";
import { addRequestRecord, type RequestRecord, requestRecordOf } from "./lifecycle/requestRecord.js";

/** Bytes of a request's body; longer ones are not read. */
const BODY_LIMIT = 1024 * 1024;
/**
 * For a request's headers, and for the whole request, to arrive. Node.js takes the shorter of the two for the headers,
 * whichever it is, and looks every `checkMs` which requests are late; its default is 30 seconds.
 */
const TIME_LIMITS: TimeLimits = { headersMs: 10_000, requestMs: 30_000, checkMs: 1000 };
/** Of an operation's name in the log. */
const MAX_NAME = 64;
/** What a caller may give as a request's id, so that its log and ours can be laid side by side. */
const REQUEST_ID = /^[\w.:-]{1,100}$/;

const CLIENT_GONE = 499;
/** What asks every few seconds whether all is well, and would drown the rest. */
const PROBES = new Set(["/healthz", "/readyz", "/metrics"]);

/** A request that is over. */
export interface FinishedRequest extends Readonly<RequestRecord> {
  readonly method: string;
  /** The path as the server knows it, without anything of the caller's; "unknown" where there is nothing. */
  readonly route: string;
  /** 499, as other servers have it, where the client left before it was answered. */
  readonly status: number;
  readonly milliseconds: number;
  readonly isProbe: boolean;
}

/** REST's routes, the only ones with schemas, bring their own compilers; Fastify's would be loaded for nothing. */
const noCompiler = () => () => {
  throw new TypeError("A route with a schema needs the compiler of its door.");
};

/** In milliseconds. */
export interface TimeLimits {
  readonly headersMs: number;
  readonly requestMs: number;
  readonly checkMs: number;
}

export interface ServerOptions {
  readonly log: Logger;
  /** Addresses of proxies whose X-Forwarded-For is believed. */
  readonly trustProxy?: readonly string[];
  /** Whether the server is about to close its listener. */
  readonly isStopping?: () => boolean;
  readonly timeLimits?: TimeLimits;
  /** Origins that browsers may call from. */
  readonly corsOrigins: readonly string[];
  readonly onFinished: (event: FinishedRequest) => void;
}

/** The one line of a request. Of the caller it has what the audit has: names are not unique, and a key is no secret. */
function writeLine(log: Logger, event: FinishedRequest): void {
  const { method, route, status, milliseconds, isProbe, caller, operation, codes } = event;
  const line = {
    method,
    path: route,
    status,
    ms: Math.round(milliseconds),
    ...(caller && { caller: caller.key }),
    ...(operation?.type && { operationType: operation.type }),
    ...(operation?.name && { operation: operation.name.slice(0, MAX_NAME) }),
    ...(codes.length > 0 && { codes: [...new Set(codes)] }),
  };
  log[isProbe ? "debug" : "info"](line, "request");
}

/** Of several such headers a proxy could have judged another one than this server does. */
const SINGLE_HEADERS: ReadonlySet<string> = new Set(["host", "authorization", "content-type"]);
const CONTINUE = /^100-continue$/i;

/** Refuses headers that are ambiguous, or that ask for what this server does not do. */
function checkHeaders({ raw, headers: { expect } }: FastifyRequest): void {
  const { rawHeaders, httpVersion } = raw;
  const seen = new Set<string>();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]?.toLowerCase() ?? "";
    if (!SINGLE_HEADERS.has(name)) continue;
    if (seen.has(name))
      throw new RequestRefusedError(400, "BAD_REQUEST", `The request has several ${name} headers.`);
    seen.add(name);
  }
  if (httpVersion === "1.1" && !seen.has("host"))
    throw new RequestRefusedError(400, "BAD_REQUEST", "The request has no host header.");
  if (expect !== undefined && !CONTINUE.test(expect))
    throw new RequestRefusedError(417, "EXPECTATION_FAILED", "Expect nothing but 100-continue.");
}

/** The server with what every door has: ids, one log line a request, CORS, limits on bodies. Doors are added to it. */
export async function createServer(options: ServerOptions): Promise<FastifyInstance> {
  const { log, corsOrigins, onFinished, trustProxy = [], timeLimits = TIME_LIMITS, isStopping } = options;
  const tell = (request: FastifyRequest, status: number, milliseconds: number): void => {
    const { method, routeOptions } = request;
    const route = routeOptions.url ?? "unknown";
    const event = {
      ...requestRecordOf(request),
      method,
      route,
      status,
      milliseconds,
      isProbe: PROBES.has(route),
    };
    writeLine(request.log as Logger, event);
    onFinished(event);
  };
  const tellUnrouted = ({ requestId, status, code }: UnroutedRequest): void => {
    const nobody = { caller: null, operation: null, codes: [code], milliseconds: 0, isProbe: false };
    const event: FinishedRequest = { ...nobody, method: "unknown", route: "unknown", status };
    writeLine(log.child({ requestId }), event);
    onFinished(event);
  };
  const connections: Connections = new Map();
  const server = fastify({
    loggerInstance: log,
    bodyLimit: BODY_LIMIT,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: "requestId" }),
    genReqId: ({ headers }) => {
      const given = headers["x-request-id"];
      return typeof given === "string" && REQUEST_ID.test(given) ? given : randomUUID();
    },
    requestTimeout: timeLimits.requestMs,
    http: {
      headersTimeout: timeLimits.headersMs,
      requestTimeout: timeLimits.requestMs,
      connectionsCheckingInterval: timeLimits.checkMs,
      // checkHeaders refuses requests without it, with a body.
      requireHostHeader: false,
    },
    clientErrorHandler: clientErrorHandler(connections, tellUnrouted),
    trustProxy: trustProxy.length > 0 ? [...trustProxy] : false,
    forceCloseConnections: "idle",
    // Whoever asks while the server ends, /readyz among them, is answered as always.
    return503OnClosing: false,
    frameworkErrors: (_error, request, reply) => {
      const code = "BAD_REQUEST";
      const refusal = { detail: "The address is not acceptable.", code, requestId: request.id };
      requestRecordOf(request as FastifyRequest).codes.push(code);
      (reply as FastifyReply).header("x-request-id", request.id).code(400).send(refusal);
      // It never gets as far as to a hook.
      tell(request, 400, 0);
    },
    routerOptions: { ignoreTrailingSlash: true },
    schemaController: { compilersFactory: { buildValidator: noCompiler, buildSerializer: noCompiler } },
  }) as unknown as FastifyInstance;

  // Node.js would answer without a body; checkHeaders refuses such a request like any other.
  server.server.on("checkExpectation", (request, response) => {
    server.server.emit("request", request, response);
  });
  addMethods(server);
  addRequestRecord(server);
  // Hooks that await nothing are no async functions: each would be a promise of every request.
  server.addHook("onRequest", (request, reply, done) => {
    reply.header("x-request-id", request.id);
    reply.header("x-content-type-options", "nosniff");
    try {
      checkHeaders(request);
    } catch (error) {
      return done(error as Error);
    }
    done();
  });
  addOptions(server);
  // Only for the lines at debug: to follow a request through every promise costs time.
  if (log.isLevelEnabled("debug")) {
    const follow: onRequestHookHandler = (request, _reply, done) =>
      runForRequest(request.log as Logger, done);
    server.addHook("onRequest", follow);
    // And again after the body, whose end comes from the socket and has lost the request.
    server.addHook("preValidation", follow);
  }
  trackConnections(server, connections);
  addDrain(server, connections, isStopping);
  onRequestFinished(server, (request, reply, gone) =>
    tell(request, gone ? CLIENT_GONE : reply.statusCode, reply.elapsedTime),
  );
  server.setNotFoundHandler((request, reply) =>
    reply.code(404).send({ detail: "There is nothing here.", requestId: request.id }),
  );
  server.setErrorHandler((error: { statusCode?: number }, request, reply) => {
    if (error instanceof RequestRefusedError) {
      const { statusCode, code, message: detail, headers } = error;
      requestRecordOf(request).codes.push(code);
      return reply.code(statusCode).headers(headers).send({ detail, code, requestId: request.id });
    }
    const status = error.statusCode ?? 500;
    if (status < 500)
      return reply.code(status).send({ detail: "The request is not acceptable.", requestId: request.id });
    request.log.error({ err: error }, "a request failed unexpectedly");
    return reply.code(500).send({ detail: "Something went wrong on the server.", requestId: request.id });
  });
  if (corsOrigins.length === 0) return server;
  // With whatever headers a page sends: clients and tracing add theirs, and none lets anybody in but a token.
  await server.register(cors, {
    origin: [...corsOrigins],
    methods: ["GET", "POST", "PATCH"],
    exposedHeaders: ["x-request-id", "retry-after"],
    maxAge: 600,
  });
  return server;
}

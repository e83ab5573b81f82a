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
import type { Tracing } from "../tracing/tracing.js";
import { clientErrorHandler, type UnroutedRequest } from "./lifecycle/clientErrors.js";
import { type Connections, trackConnections } from "./lifecycle/connections.js";
import { addDrain } from "./lifecycle/drain.js";
import { addMethods } from "./lifecycle/methods.js";
import { addOptions } from "./lifecycle/options.js";
import { RATE_LIMIT_HEADERS } from "./lifecycle/rateLimitHeaders.js";
import { onRequestFinished } from "./lifecycle/requestFinished.js";
import { RequestRefusedError } from "./lifecycle/requestFormat.js";
import { addRequestRecord, type RequestRecord, requestRecordOf } from "./lifecycle/requestRecord.js";
import { addRequestTraces } from "./lifecycle/requestTrace.js";

/** The longest body of a request, in bytes. */
const BODY_LIMIT = 1024 * 1024;
/**
 * The time in which a request's headers, and the whole request, must arrive. Node.js applies the shorter of the two
 * limits to the headers. It looks for late requests every `checkMs`; its own default is 30 seconds.
 */
const TIME_LIMITS: TimeLimits = { headersMs: 10_000, requestMs: 30_000, checkMs: 1000 };
/** The longest operation name in the log, in characters. */
const MAX_NAME = 64;
/** The X-Request-Id that a caller may choose, so that the caller's log and this one can be compared. */
const REQUEST_ID = /^[\w.:-]{1,100}$/;

const CLIENT_ABORTED = 499;
/** Routes that are requested every few seconds. Their log lines have the level debug. */
const PROBES = new Set(["/healthz", "/readyz", "/metrics"]);
/** Telegram may call this route thousands of times a second. The log lines of its successful calls have the level debug. */
const WEBHOOK = "/telegram/webhook";

/** A request that was answered, or whose client aborted it. */
export interface FinishedRequest extends Readonly<RequestRecord> {
  readonly method: string;
  /** The route's pattern, which contains nothing from the caller; "unknown" if no route matches. */
  readonly route: string;
  /** 499, as other servers use it, if the client left before the whole answer was sent. */
  readonly status: number;
  readonly milliseconds: number;
  /** Whether the request was for a health check or for metrics. */
  readonly isProbe: boolean;
}

/** Only REST's routes have schemas, and they bring their own compilers. This saves loading Fastify's compilers. */
const noCompiler = () => () => {
  throw new TypeError("A route with a schema needs the compiler of its endpoint.");
};

/** In milliseconds. */
export interface TimeLimits {
  readonly headersMs: number;
  readonly requestMs: number;
  readonly checkMs: number;
}

export interface ServerOptions {
  readonly log: Logger;
  /** Addresses of the proxies whose X-Forwarded-For is trusted. */
  readonly trustProxy?: readonly string[];
  /** Whether the server is about to close its listener. */
  readonly isStopping?: () => boolean;
  readonly timeLimits?: TimeLimits;
  /** Origins that browsers may call from. */
  readonly corsOrigins: readonly string[];
  readonly onFinished: (request: FinishedRequest) => void;
  /** Default: requests are not traced. */
  readonly tracing?: Tracing | null;
}

/** Creates the server with what all endpoints share. The endpoints are added to it afterwards. */
export async function createServer(options: ServerOptions): Promise<FastifyInstance> {
  const { log, corsOrigins, isStopping, tracing = null } = options;
  const connections: Connections = new Map();
  const finish = finisherOf(options);
  const server = createFastify(options, connections, finish);
  addRequestTraces(server, tracing, PROBES);
  addHooks(server, log);
  trackConnections(server, connections);
  addDrain(server, connections, isStopping);
  onRequestFinished(server, (request, reply, isAborted) =>
    finish.routed(request, isAborted ? CLIENT_ABORTED : reply.statusCode, reply.elapsedTime),
  );
  addErrorHandlers(server);
  if (corsOrigins.length > 0) await addCors(server, corsOrigins);
  return server;
}

/** Logs and reports finished requests. */
interface Finisher {
  routed(request: FastifyRequest, status: number, milliseconds: number): void;
  unrouted(request: UnroutedRequest): void;
}

function finisherOf({ log, onFinished }: ServerOptions): Finisher {
  return {
    routed(request, status, milliseconds) {
      const { method, routeOptions } = request;
      const route = routeOptions.url ?? "unknown";
      const finished: FinishedRequest = {
        method,
        route,
        status,
        milliseconds,
        isProbe: PROBES.has(route),
        ...requestRecordOf(request),
      };
      writeLine(request.log as Logger, finished);
      request.trace?.end(status, finished.codes);
      onFinished(finished);
    },
    unrouted({ requestId, status, code }) {
      const finished: FinishedRequest = {
        caller: null,
        operation: null,
        codes: [code],
        method: "unknown",
        route: "unknown",
        status,
        milliseconds: 0,
        isProbe: false,
      };
      writeLine(log.child({ requestId }), finished);
      onFinished(finished);
    },
  };
}

/** Writes the request's one log line. The caller is named by its key, as in the audit, because names are not unique. */
function writeLine(log: Logger, request: FinishedRequest): void {
  const { method, route, status, milliseconds, isProbe, caller, operation, codes } = request;
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
  const isUsual = isProbe || (route === WEBHOOK && status === 200);
  log[isUsual ? "debug" : "info"](line, "request");
}

function createFastify(
  { log, trustProxy = [], timeLimits = TIME_LIMITS }: ServerOptions,
  connections: Connections,
  finish: Finisher,
): FastifyInstance {
  return fastify({
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
      // checkHeaders refuses requests without a Host header, and its refusal has a body.
      requireHostHeader: false,
    },
    clientErrorHandler: clientErrorHandler(connections, finish.unrouted),
    trustProxy: trustProxy.length > 0 ? [...trustProxy] : false,
    forceCloseConnections: "idle",
    // While the server stops, requests (those to /readyz included) are answered as usual.
    return503OnClosing: false,
    frameworkErrors: (_error, request, reply) => {
      const code = "BAD_REQUEST";
      const refusal = { detail: "The address is not acceptable.", code, requestId: request.id };
      requestRecordOf(request as FastifyRequest).codes.push(code);
      (reply as FastifyReply).header("x-request-id", request.id).code(400).send(refusal);
      // Fastify runs no hooks for such a request, so it is reported here.
      finish.routed(request as FastifyRequest, 400, 0);
    },
    routerOptions: { ignoreTrailingSlash: true },
    schemaController: { compilersFactory: { buildValidator: noCompiler, buildSerializer: noCompiler } },
  }) as unknown as FastifyInstance;
}

/** Headers that must not be repeated: a proxy may have judged the request by another one than this server does. */
const SINGLE_HEADERS: ReadonlySet<string> = new Set(["host", "authorization", "content-type"]);
const CONTINUE = /^100-continue$/i;

/** @throws RequestRefusedError for ambiguous headers, and for an Expect header other than 100-continue */
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
    throw new RequestRefusedError(
      417,
      "EXPECTATION_FAILED",
      "The only supported expectation is 100-continue.",
    );
}

/** Hooks that every request passes. Hooks that await nothing use `done`, because an async hook costs a promise a request. */
function addHooks(server: FastifyInstance, log: Logger): void {
  // Node.js would answer other expectations without a body. checkHeaders refuses them like any other bad request.
  server.server.on("checkExpectation", (request, response) => {
    server.server.emit("request", request, response);
  });
  addMethods(server);
  addRequestRecord(server);
  server.addHook("onRequest", (request, reply, done) => {
    reply.header("x-request-id", request.id);
    reply.header("x-content-type-options", "nosniff");
    // Some caches ignore that an answer depends on the token. Files that never change replace this header.
    reply.header("cache-control", "no-store");
    try {
      checkHeaders(request);
    } catch (error) {
      return done(error as Error);
    }
    done();
  });
  addOptions(server);
  // Only for log lines with the level debug: the AsyncLocalStorage behind runForRequest slows down every promise.
  if (log.isLevelEnabled("debug")) {
    const follow: onRequestHookHandler = (request, _reply, done) =>
      runForRequest(request.log as Logger, done);
    server.addHook("onRequest", follow);
    // The end of the body is an event of the socket, which is not bound to the request.
    server.addHook("preValidation", follow);
  }
}

/** The answers to unknown addresses and to errors outside of GraphQL and REST, which have forms of their own. */
function addErrorHandlers(server: FastifyInstance): void {
  server.setNotFoundHandler((request, reply) =>
    reply.code(404).send({ detail: "There is nothing at this address.", requestId: request.id }),
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
}

/** Any header is allowed: client libraries and tracing add their own, and only an API token gives access. */
async function addCors(server: FastifyInstance, origins: readonly string[]): Promise<void> {
  await server.register(cors, {
    origin: [...origins],
    methods: ["GET", "POST", "PATCH"],
    exposedHeaders: ["x-request-id", "retry-after", ...RATE_LIMIT_HEADERS],
    maxAge: 600,
  });
}

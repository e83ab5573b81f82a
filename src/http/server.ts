import { randomUUID } from "node:crypto";
import cors from "@fastify/cors";
import fastify, { type FastifyInstance, type FastifyReply, LogController } from "fastify";
import type { Logger } from "../log.js";
import { addDrain } from "./drain.js";

/** Bytes of a request's body; longer ones are not read. */
const BODY_LIMIT = 1024 * 1024;
const REQUEST_TIMEOUT_MS = 30_000;
/** What a caller may give as a request's id, so that its log and ours can be laid side by side. */
const REQUEST_ID = /^[\w.:-]{1,100}$/;

export interface ServerOptions {
  readonly log: Logger;
  /** Origins that browsers may call from. */
  readonly corsOrigins: readonly string[];
}

/** The server with what every door has: ids, one log line a request, CORS, limits on bodies. Doors are added to it. */
export async function createServer({ log, corsOrigins }: ServerOptions): Promise<FastifyInstance> {
  const server = fastify({
    loggerInstance: log,
    bodyLimit: BODY_LIMIT,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: "requestId" }),
    genReqId: ({ headers }) => {
      const given = headers["x-request-id"];
      return typeof given === "string" && REQUEST_ID.test(given) ? given : randomUUID();
    },
    // For a whole request to arrive, in milliseconds.
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: "idle",
    // Whoever asks while the server ends, /readyz among them, is answered as always.
    return503OnClosing: false,
    frameworkErrors: (_error, request, reply) => {
      const refusal = { detail: "The address is not acceptable.", requestId: request.id };
      (reply as FastifyReply).header("x-request-id", request.id).code(400).send(refusal);
    },
    routerOptions: { ignoreTrailingSlash: true },
  }) as unknown as FastifyInstance;

  server.addHook("onRequest", async (request, reply) => {
    reply.header("x-request-id", request.id);
    reply.header("x-content-type-options", "nosniff");
  });
  addDrain(server);
  server.addHook("onResponse", async (request, reply) => {
    const { method, routeOptions } = request;
    const line = {
      method,
      path: routeOptions.url ?? "unknown",
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
    };
    // A probe every few seconds would drown the rest.
    const level = line.path === "/healthz" || line.path === "/readyz" ? "debug" : "info";
    request.log[level](line, "request");
  });
  server.setNotFoundHandler((request, reply) =>
    reply.code(404).send({ detail: "There is nothing here.", requestId: request.id }),
  );
  server.setErrorHandler((error: { statusCode?: number }, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status < 500)
      return reply.code(status).send({ detail: "The request is not acceptable.", requestId: request.id });
    request.log.error({ err: error }, "a request failed unexpectedly");
    return reply.code(500).send({ detail: "Something went wrong on the server.", requestId: request.id });
  });
  // With whatever headers a page sends: clients and tracing add theirs, and none lets anybody in but a token.
  await server.register(cors, {
    origin: corsOrigins.length === 0 ? false : [...corsOrigins],
    methods: ["GET", "POST", "PATCH"],
    exposedHeaders: ["x-request-id", "retry-after"],
    maxAge: 600,
  });
  return server;
}

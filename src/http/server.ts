import { randomUUID } from "node:crypto";
import cors from "@fastify/cors";
import fastify, { type FastifyInstance, LogController } from "fastify";
import type { Logger } from "../log.js";

/** Bytes of a request's body; longer ones are not read. */
const BODY_LIMIT = 1024 * 1024;
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
    // Requests under way are answered; idle connections are closed at once.
    forceCloseConnections: "idle",
    routerOptions: { ignoreTrailingSlash: true },
  }) as unknown as FastifyInstance;

  server.addHook("onRequest", async (request, reply) => {
    reply.header("x-request-id", request.id);
    reply.header("x-content-type-options", "nosniff");
  });
  // A connection whose request was under way when the end began would otherwise be kept alive for the next one.
  let closing = false;
  server.addHook("preClose", async () => {
    closing = true;
  });
  server.addHook("onSend", async (_request, reply) => {
    if (closing) reply.header("connection", "close");
  });
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
  await server.register(cors, {
    origin: corsOrigins.length === 0 ? false : [...corsOrigins],
    methods: ["GET", "POST", "PATCH"],
    allowedHeaders: ["authorization", "content-type", "idempotency-key", "x-request-id"],
    exposedHeaders: ["x-request-id", "retry-after"],
    maxAge: 600,
  });
  return server;
}

import { randomUUID } from "node:crypto";
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { FastifyRequest } from "fastify";
import type { Connections } from "./connections.js";
import { RequestRefusedError } from "./requestFormat.js";

/** A request that was refused before the router saw it. */
export interface UnroutedRequest {
  readonly requestId: string;
  readonly status: number;
  readonly code: string;
}

const REFUSALS: Readonly<Record<string, readonly [status: number, code: string, message: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, "REQUEST_TIMEOUT", "The request did not arrive in time."],
  HPE_HEADER_OVERFLOW: [431, "HEADERS_TOO_LARGE", "The request's headers are too large."],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, "PAYLOAD_TOO_LARGE", "The body is too large."],
};
const MALFORMED = [400, "BAD_REQUEST", "The request is not valid HTTP."] as const;

/** The first bytes of a request to /graphql, whose clients expect errors in the form of GraphQL. */
const GRAPHQL_TARGET = /^[A-Z-]+ \/graphql[/? ]/i;

const exempt = new WeakSet<Socket>();

/**
 * Exempts a request from the time limit for whole requests. A route for long bodies calls this in its onRequest hook and
 * sets a time limit of its own.
 */
export function allowLongBody({ raw }: FastifyRequest): void {
  const { socket } = raw;
  exempt.add(socket);
  raw.once("close", () => exempt.delete(socket));
}

/**
 * Answers requests that Node.js could not parse or that arrived too slowly. If the headers were complete, the router knows
 * the request and the endpoint's error handler answers. Otherwise the answer is written to the socket directly.
 */
export function clientErrorHandler(connections: Connections, onRefused: (request: UnroutedRequest) => void) {
  return (error: Error & { code?: string; rawPacket?: unknown }, socket: Socket): void => {
    if (error.code === "ECONNRESET" || socket.destroyed) return;
    const isTimeout = error.code === "ERR_HTTP_REQUEST_TIMEOUT";
    // Node.js reports the time limit of a request once and leaves the connection to this handler.
    if (isTimeout && exempt.has(socket)) return;
    const [status, code, message] = REFUSALS[error.code ?? ""] ?? MALFORMED;
    const reply = connections.get(socket) ?? null;
    if (reply !== null && !reply.raw.writableFinished) {
      const { raw } = reply.request;
      if (raw.complete) {
        // The error concerns the data after a complete request. That request is still answered, then the connection ends.
        if (!reply.sent) reply.header("connection", "close");
      } else if (reply.sent) {
        socket.destroy();
      } else {
        // The body's parser must not handle the rest of the body any more, nor an error about its absence.
        raw.removeAllListeners("error").on("error", () => {});
        reply.header("connection", "close").send(new RequestRefusedError(status, code, message));
      }
      return;
    }
    // Browsers open connections in advance. An unused connection is closed without an answer.
    if (socket.bytesRead === 0 || !socket.writable) return void socket.destroy();
    const requestId = randomUUID();
    const body = JSON.stringify(
      GRAPHQL_TARGET.test(String(error.rawPacket))
        ? { errors: [{ message, extensions: { code, requestId } }] }
        : { detail: message, code, requestId },
    );
    socket.end(
      [
        `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
        "content-type: application/json; charset=utf-8",
        `content-length: ${Buffer.byteLength(body)}`,
        `x-request-id: ${requestId}`,
        "connection: close",
        "",
        body,
      ].join("\r\n"),
    );
    // Otherwise a client that keeps sending would keep the connection open.
    socket.once("finish", () => socket.destroy());
    onRefused({ requestId, status, code });
  };
}

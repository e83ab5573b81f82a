import { randomUUID } from "node:crypto";
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { FastifyRequest } from "fastify";
import type { Connections } from "./connections.js";
import { RequestRefusedError } from "./requestFormat.js";

/** A request that ended before the router saw it. */
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

/** The start of a request to /graphql, whose clients expect the form of GraphQL's errors. */
const GRAPHQL_TARGET = /^[A-Z-]+ \/graphql[/? ]/i;

const exempt = new WeakSet<Socket>();

/**
 * Exempts one request from the time limit on whole requests, for a route that takes long bodies and has a limit of its
 * own. To be called in the route's onRequest hook.
 */
export function allowLongBody({ raw }: FastifyRequest): void {
  const { socket } = raw;
  exempt.add(socket);
  raw.once("close", () => exempt.delete(socket));
}

/**
 * Answers what Node.js could not read as a request. Where the router knows the request already, because its headers were
 * complete, the refusal has the form of the endpoint; otherwise it is written to the socket.
 */
export function clientErrorHandler(connections: Connections, onRefused: (request: UnroutedRequest) => void) {
  return (error: Error & { code?: string; rawPacket?: unknown }, socket: Socket): void => {
    if (error.code === "ECONNRESET" || socket.destroyed) return;
    const isTimeout = error.code === "ERR_HTTP_REQUEST_TIMEOUT";
    // Node.js tells of a request's time limit once and leaves the connection to this handler.
    if (isTimeout && exempt.has(socket)) return;
    const [status, code, message] = REFUSALS[error.code ?? ""] ?? MALFORMED;
    const reply = connections.get(socket) ?? null;
    if (reply !== null && !reply.raw.writableFinished) {
      const { raw } = reply.request;
      if (raw.complete) {
        // What follows a request that is being answered is no request; the answer is the connection's last.
        if (!reply.sent) reply.header("connection", "close");
      } else if (reply.sent) {
        socket.destroy();
      } else {
        // The rest of the body is of no interest to its parser any more, nor that it never comes.
        raw.removeAllListeners("error").on("error", () => {});
        reply.header("connection", "close").send(new RequestRefusedError(status, code, message));
      }
      return;
    }
    // A connection that was opened and never used, as browsers do beforehand, is no request.
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
    // A client that goes on sending does not keep the connection.
    socket.once("finish", () => socket.destroy());
    onRefused({ requestId, status, code });
  };
}

import type { Socket } from "node:net";
import type { FastifyInstance, FastifyReply } from "fastify";

/** The open connections, each with the reply to its newest request; null before the first request. */
export type Connections = Map<Socket, FastifyReply | null>;

/** Registers the hooks that keep `connections` up to date. */
export function trackConnections(server: FastifyInstance, connections: Connections): void {
  server.server.on("connection", (socket: Socket) => {
    connections.set(socket, null);
    socket.once("close", () => connections.delete(socket));
  });
  server.addHook("onRequest", ({ raw }, reply, done) => {
    if (connections.has(raw.socket)) connections.set(raw.socket, reply);
    done();
  });
}

/** Whether the request was received completely and its answer was not sent completely. */
export const isBeingAnswered = ({ request, raw }: FastifyReply): boolean =>
  request.raw.complete && !raw.writableFinished;

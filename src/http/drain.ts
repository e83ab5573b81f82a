import type { FastifyInstance, FastifyRequest } from "fastify";
import { whenOver } from "./over.js";

/**
 * Lets the server end as soon as the requests under way are answered. Left to itself it would wait for every open
 * connection: for one kept alive for a next request, and for one whose client never sends the rest of a body.
 */
export function addDrain(server: FastifyInstance): void {
  // Those that were read whole.
  const underWay = new Set<FastifyRequest>();
  let closing = false;
  const closeIfDrained = (): void => {
    // The answer just given is still on its way to the socket.
    if (closing && underWay.size === 0) setImmediate(() => server.server.closeAllConnections());
  };
  server.addHook("preHandler", async (request) => {
    underWay.add(request);
  });
  whenOver(server, (request) => {
    underWay.delete(request);
    closeIfDrained();
  });
  server.addHook("onSend", async (_request, reply) => {
    if (closing) reply.header("connection", "close");
  });
  server.addHook("preClose", async () => {
    closing = true;
    closeIfDrained();
  });
}

import type { ServerResponse } from "node:http";
import type { FastifyInstance } from "fastify";

/**
 * Lets the server end as soon as the requests under way are answered. Left to itself it would wait for every open
 * connection: for one kept alive for a next request, and for one whose client never sends the rest of a body.
 */
export function addDrain(server: FastifyInstance): void {
  // To those requests that were read whole.
  const underWay = new Set<ServerResponse>();
  let closing = false;
  const closeIfDrained = (): void => {
    // The answer just given is still on its way to the socket.
    if (closing && underWay.size === 0) setImmediate(() => server.server.closeAllConnections());
  };
  server.addHook("preHandler", (_request, { raw }, done) => {
    // Whoever hung up is not waited for; what goes on for them all the same is not this server's to know.
    if (!raw.destroyed) {
      underWay.add(raw);
      raw.once("close", () => {
        underWay.delete(raw);
        closeIfDrained();
      });
    }
    done();
  });
  server.addHook("onSend", (_request, reply, _payload, done) => {
    if (closing) reply.header("connection", "close");
    done();
  });
  server.addHook("preClose", async () => {
    closing = true;
    closeIfDrained();
  });
}

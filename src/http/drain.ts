import type { FastifyInstance } from "fastify";

/**
 * Lets the server end as soon as the requests under way are answered. Left to itself it would wait for every open
 * connection: for one kept alive for a next request, and for one whose client never sends the rest of a body.
 */
export function addDrain(server: FastifyInstance): void {
  // Of the requests that were read whole.
  let underWay = 0;
  let closing = false;
  const closeIfDrained = (): void => {
    // The answer just given is still on its way to the socket.
    if (closing && underWay === 0) setImmediate(() => server.server.closeAllConnections());
  };
  server.addHook("preHandler", (_request, { raw }, done) => {
    // Whoever hung up is not waited for; what goes on for them all the same is not this server's to know.
    if (!raw.destroyed) {
      underWay += 1;
      raw.once("close", () => {
        underWay -= 1;
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

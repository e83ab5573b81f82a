import { setImmediate as nextTurn } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { type Connections, isBeingAnswered } from "./connections.js";

/** How long an incomplete request may take to arrive after the listener has closed, in milliseconds. */
const ARRIVAL_MS = 5000;

/** Lets the event loop accept waiting connections and read the data that has arrived in sockets. */
export async function readArrived(): Promise<void> {
  for (let turn = 0; turn < 4; turn += 1) await nextTurn();
}

/**
 * Lets the server stop without losing a request. While the server is stopping, each connection ends after the answer to
 * its newest request. When the listener closes, connections without a request are closed at once, connections with a
 * complete request after its answer, and connections with an incomplete request after ARRIVAL_MS.
 */
export function addDrain(
  server: FastifyInstance,
  connections: Connections,
  isStopping: () => boolean = () => false,
): void {
  let closing = false;
  server.addHook("onSend", (request, reply, _payload, done) => {
    // A client that sent several requests at once gets all answers: only the last answer ends the connection.
    if ((closing || isStopping()) && connections.get(request.raw.socket) === reply)
      reply.header("connection", "close");
    done();
  });
  server.addHook("preClose", async () => {
    closing = true;
    await readArrived();
    // Node.js closes idle connections that had a request before, but waits for those that never had one.
    for (const socket of connections.keys()) if (socket.bytesRead === 0) socket.destroy();
    const arrival = setTimeout(() => {
      for (const [socket, reply] of connections) {
        if (reply === null || !isBeingAnswered(reply)) socket.destroy();
      }
    }, ARRIVAL_MS);
    server.server.once("close", () => clearTimeout(arrival));
  });
}

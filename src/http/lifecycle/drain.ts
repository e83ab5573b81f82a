import { setImmediate as nextTurn } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { type Connections, isBeingAnswered } from "./connections.js";

/** How long an incomplete request may take to arrive after the listener has closed, in milliseconds. */
const ARRIVAL_MS = 5000;

/** Turns of the event loop in which no connection was accepted, after which none waits and all data has been read. */
const QUIET_TURNS = 4;
/** Twice as many turns as connections can wait (`listen` of Node.js): clients that go on connecting do not hold up the end. */
const MAX_TURNS = 1022;

/**
 * Lets the event loop accept all waiting connections, one in each turn, and read the data that has arrived in sockets.
 * Whatever waits when the listener closes is reset.
 */
export async function readArrived({ server }: FastifyInstance): Promise<void> {
  let quiet = 0;
  const accepted = (): void => {
    quiet = 0;
  };
  server.on("connection", accepted);
  for (let turn = 0; turn < MAX_TURNS && quiet < QUIET_TURNS; turn += 1) {
    quiet += 1;
    await nextTurn();
  }
  server.off("connection", accepted);
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
  server.addHook("onResponse", ({ raw: { socket } }, reply, done) => {
    // An answer that began before did not tell its client that the connection ends. Node.js would keep the connection.
    if (!server.server.listening && connections.get(socket) === reply) socket.destroySoon();
    done();
  });
  server.addHook("preClose", async () => {
    closing = true;
    await readArrived(server);
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

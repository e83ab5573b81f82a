import { setImmediate as nextTurn } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { type Connections, isBeingAnswered } from "./connections.js";

/** How long a request that has begun may take to arrive once the listener is closed, in milliseconds. */
const ARRIVAL_MS = 5000;

/** Lets the event loop accept the connections that wait, and read what has arrived in sockets. */
export async function readArrived(): Promise<void> {
  for (let turn = 0; turn < 4; turn += 1) await nextTurn();
}

/**
 * Lets the server end without cutting a request. While it is stopping, each connection ends with the answer to its newest
 * request. Once the listener closes, connections without a request are closed at once, those that are being answered
 * after their answer, and those whose request never becomes whole after ARRIVAL_MS.
 */
export function addDrain(
  server: FastifyInstance,
  connections: Connections,
  isStopping: () => boolean = () => false,
): void {
  let closing = false;
  server.addHook("onSend", (request, reply, _payload, done) => {
    // Clients that send several requests at once get all answers: only the last one ends the connection.
    if ((closing || isStopping()) && connections.get(request.raw.socket) === reply)
      reply.header("connection", "close");
    done();
  });
  server.addHook("preClose", async () => {
    closing = true;
    await readArrived();
    // Node.js closes the connections that had a request before, and waits for those that never had one.
    for (const socket of connections.keys()) if (socket.bytesRead === 0) socket.destroy();
    const arrival = setTimeout(() => {
      for (const [socket, reply] of connections) {
        if (reply === null || !isBeingAnswered(reply)) socket.destroy();
      }
    }, ARRIVAL_MS);
    server.server.once("close", () => clearTimeout(arrival));
  });
}

import { EventEmitter, once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { onTestFinished } from "vitest";

export interface Update {
  update_id: number;
  chat_member?: { from: { id: number } };
}

/**
 * A web server that answers with the given statuses in order, and then always with the last one.
 * @param firstAnswerAfter how many deliveries must have arrived before the first one is answered
 */
export async function receiver(statuses: number[], { firstAnswerAfter = 1 } = {}) {
  const deliveries: { update: Update; headers: IncomingHttpHeaders }[] = [];
  const arrivals = new EventEmitter();
  const received = async (count: number) => {
    while (deliveries.length < count) await once(arrivals, "delivery");
    return deliveries;
  };
  const server = createServer(async (request, response) => {
    const count = deliveries.push({ update: (await json(request)) as Update, headers: request.headers });
    arrivals.emit("delivery");
    if (count === 1) await received(firstAnswerAfter);
    response.writeHead(statuses[Math.min(count, statuses.length) - 1] ?? 200).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received,
  };
}

import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { onTestFinished } from "vitest";

export interface Update {
  update_id: number;
  chat_member?: { from: { id: number } };
}

/** A web server that answers with the given statuses in order, and then always with the last one. */
export async function receiver(statuses: number[]) {
  const deliveries: { update: Update; headers: IncomingHttpHeaders }[] = [];
  let delivered = () => {};
  const server = createServer(async (request, response) => {
    deliveries.push({ update: (await json(request)) as Update, headers: request.headers });
    response.writeHead(statuses[Math.min(deliveries.length, statuses.length) - 1] ?? 200).end();
    delivered();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    async received(count: number) {
      while (deliveries.length < count) {
        await new Promise<void>((resolve) => {
          delivered = resolve;
        });
      }
      return deliveries;
    },
  };
}

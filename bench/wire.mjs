// A proxy between a server and PostgreSQL that counts executed statements and returned rows in the protocol. PostgreSQL counts
// them by itself only with an extension.

import net from "node:net";

const EXECUTE = "E".charCodeAt(0);
const QUERY = "Q".charCodeAt(0);
const DATA_ROW = "D".charCodeAt(0);

/**
 * Returns a function that takes the chunks of one direction and calls back with the type of each message in them.
 * @param {boolean} untypedFirst true for the client's direction, whose first message has no type
 * @param {(type: number) => void} onMessage
 */
function messages(untypedFirst, onMessage) {
  /** @type {Buffer} */
  let rest = Buffer.alloc(0);
  let skip = 0;
  let untyped = untypedFirst;
  return (/** @type {Buffer} */ chunk) => {
    let data = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    for (;;) {
      if (skip > 0) {
        const passed = Math.min(skip, data.length);
        skip -= passed;
        data = data.subarray(passed);
        if (skip > 0) break;
      }
      const head = untyped ? 4 : 5;
      if (data.length < head) break;
      if (!untyped) onMessage(data.readUInt8(0));
      // The length includes itself, but not the type.
      skip = data.readUInt32BE(head - 4) + head - 4;
      untyped = false;
    }
    rest = data;
  };
}

/** @param {string} url of the database */
export async function countingWire(url) {
  const target = new URL(url);
  const counts = { statements: 0, rows: 0 };
  const sockets = new Set();
  const server = net.createServer((client) => {
    const upstream = net.connect({ host: target.hostname, port: Number(target.port || 5432), noDelay: true });
    client.setNoDelay(true);
    const asked = messages(true, (type) => {
      if (type === EXECUTE || type === QUERY) counts.statements += 1;
    });
    const answered = messages(false, (type) => {
      if (type === DATA_ROW) counts.rows += 1;
    });
    client.on("data", asked).pipe(upstream);
    upstream.on("data", answered).pipe(client);
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ]) {
      sockets.add(one);
      one?.on("error", () => other?.destroy());
      one?.on("close", () => {
        sockets.delete(one);
        other?.destroy();
      });
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {net.AddressInfo} */ (server.address());
  return {
    url: Object.assign(new URL(url), { hostname: "127.0.0.1", port: String(port) }).href,
    counts,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

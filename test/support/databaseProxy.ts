import { once } from "node:events";
import { createServer, connect as open, type Server, type Socket } from "node:net";
import { freePort } from "../../tools/postgres.mjs";

function targetOf(url: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}

/** A TCP proxy in front of a database server, which can simulate that the server stops, hangs or loses connections. */
export class DatabaseProxy {
  #target: { readonly host: string; readonly port: number };
  readonly #sockets = new Set<Socket>();
  #server: Server;
  #port = 0;
  #isStalled = false;

  constructor(url: string) {
    this.#target = targetOf(url);
    this.#server = this.#serve();
  }

  /** Leads to another server from now on, and breaks the connections to the former one. */
  leadTo(url: string): void {
    this.#target = targetOf(url);
    this.breakConnections();
  }

  async listen(): Promise<void> {
    if (this.#port === 0) this.#port = await freePort();
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
  }

  /** The address of a database of the server through the proxy. */
  reach(url: string): string {
    const through = new URL(url);
    through.hostname = "127.0.0.1";
    through.port = String(this.#port);
    return through.href;
  }

  /** Simulates a stopped server: connections break and new ones are refused. */
  async stop(): Promise<void> {
    this.#server.close();
    this.breakConnections();
    this.#server = this.#serve();
  }

  /** Accepts connections again, on the same port. */
  async restart(): Promise<void> {
    await this.listen();
  }

  breakConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  /** Simulates a server that hangs: it accepts connections and data, and sends nothing. */
  hang(): void {
    this.#isStalled = true;
    for (const socket of this.#sockets) socket.pause();
  }

  /** Ends hang(). */
  resume(): void {
    this.#isStalled = false;
    for (const socket of this.#sockets) socket.resume();
  }

  close(): void {
    this.#server.close();
    this.breakConnections();
  }

  #serve(): Server {
    return createServer((near) => {
      const far = open(this.#target);
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(socket);
        socket.on("data", (bytes) => other.write(bytes));
        socket.on("error", () => {});
        socket.on("close", () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
        if (this.#isStalled) socket.pause();
      }
    });
  }
}

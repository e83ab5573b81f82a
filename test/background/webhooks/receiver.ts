// A receiver of webhooks, which verifies signatures with code of its own.

import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { vi } from "vitest";

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: the body's shape depends on its event.
  readonly body: any;
}

/** What the receiver does with a request: answers with a status, or anything else. */
export type Reaction = number | ((request: Received, response: ServerResponse) => void);

/** Resolves when a condition is met. */
export const until = (condition: () => boolean | Promise<boolean>): Promise<unknown> =>
  vi.waitUntil(condition, { timeout: 60_000, interval: 20 });

/** Attempts of a webhook that may overlap. They begin in order, and a busy machine may hand them over in another one. */
export const MAX_ATTEMPTS = 20;

/** The most values that stand before a smaller one. */
export const mostOvertaking = (values: readonly number[]): number =>
  Math.max(
    ...values.map((value, index) => values.slice(0, index).filter((earlier) => earlier > value).length),
  );

/** A server on a free port of this machine. */
export class Receiver {
  readonly received: Received[] = [];
  /** The reactions to the next requests; then `usual`. */
  readonly next: Reaction[] = [];
  usual: Reaction = 204;
  readonly #server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => this.#react(request, Buffer.concat(chunks).toString(), response));
  });

  static async listen(): Promise<Receiver> {
    const receiver = new Receiver();
    await new Promise<void>((resolve) => receiver.#server.listen(0, "127.0.0.1", resolve));
    return receiver;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hook`;
  }

  /** The events that came, each as often as it came. */
  get types(): string[] {
    return this.received.map(({ body }) => body.type);
  }

  /** Resolves with the requests when at least so many came. */
  async got(count: number): Promise<readonly Received[]> {
    await until(() => this.received.length >= count);
    return this.received;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #react(request: IncomingMessage, text: string, response: ServerResponse): void {
    const received = {
      method: request.method ?? "",
      path: request.url ?? "",
      headers: request.headers,
      text,
      body: text === "" ? null : JSON.parse(text),
    };
    this.received.push(received);
    const reaction = this.next.shift() ?? this.usual;
    if (typeof reaction === "number") response.writeHead(reaction).end();
    else reaction(received, response);
  }
}

/** Whether a request is signed with a secret, as the Standard Webhooks specification says. */
export function isSigned({ headers, text }: Received, secret: string): boolean {
  const key = Buffer.from(secret.replace("whsec_", ""), "base64");
  const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${text}`;
  const wanted = createHmac("sha256", key).update(signed).digest();
  return String(headers["webhook-signature"])
    .split(" ")
    .filter((part) => part.startsWith("v1,"))
    .map((part) => Buffer.from(part.slice(3), "base64"))
    .some((given) => given.length === wanted.length && timingSafeEqual(given, wanted));
}

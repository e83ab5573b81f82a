import type { ServerResponse } from "node:http";

/** In milliseconds. */
export interface StreamLimits {
  /** A connection is cut off if its client reads nothing for this long. Comments are sent more often, also without events. */
  readonly stallMs: number;
  /** How long a response may take to end after the server has closed. */
  readonly endMs: number;
}

const LIMITS: StreamLimits = { stallMs: 30_000, endMs: 2000 };

/**
 * Response bodies that are event streams. When the server closes, all of them end properly but without the event `complete`,
 * so that clients reconnect and reach another server. A client that has stopped reading is cut off, so that it neither
 * occupies memory nor delays the end of the server.
 */
export class EventStreams {
  readonly #limits: StreamLimits;
  readonly #endings = new Set<() => void>();
  /** The responses that were not sent in full yet. A response can outlive its stream, until its client has read it. */
  readonly #responses = new Set<ServerResponse>();
  #isClosing = false;

  constructor(limits: StreamLimits = LIMITS) {
    this.#limits = limits;
  }

  /** @returns the same body, except that it ends when the server closes. It is read only as fast as the client reads. */
  track(body: ReadableStream<Uint8Array>, response: ServerResponse): ReadableStream<Uint8Array> {
    if (!response.destroyed) this.#responses.add(response);
    response.once("close", () => this.#responses.delete(response));
    // Each write while the client reads renews the timeout.
    response.setTimeout(this.#limits.stallMs, () => response.destroy());
    const reader = body.getReader();
    let end = (): void => {};
    const forget = () => this.#endings.delete(end);
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          end = () => {
            forget();
            controller.close();
            reader.cancel().catch(() => {});
          };
          if (this.#isClosing) end();
          else this.#endings.add(end);
        },
        pull: async (controller) => {
          try {
            const { done, value } = await reader.read();
            if (!this.#endings.has(end)) return;
            if (!done) return controller.enqueue(value);
            forget();
            controller.close();
          } catch (error) {
            forget();
            throw error;
          }
        },
        cancel: (reason) => {
          forget();
          return reader.cancel(reason);
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** Ends all streams, and from now on each new one at once. Cuts off the clients that do not read the end. */
  close(): void {
    this.#isClosing = true;
    for (const end of this.#endings) end();
    setTimeout(() => {
      for (const response of this.#responses) response.destroy();
    }, this.#limits.endMs).unref();
  }
}

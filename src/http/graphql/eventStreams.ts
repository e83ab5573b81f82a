/**
 * Response bodies that are event streams. When the server closes, all of them end: properly, but without the event
 * `complete`, so that clients reconnect, and reach another server.
 */
export class EventStreams {
  readonly #endings = new Set<() => void>();
  #isClosing = false;

  /** The same body, until the server closes. It is read only as fast as the client takes it. */
  track(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
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

  /** Ends all streams, and from now on each new one at once. */
  close(): void {
    this.#isClosing = true;
    for (const end of this.#endings) end();
  }
}

import type { FastifyReply } from "fastify";

/** Tells whether a client has gone, by a signal that is made when somebody first wants to know: most requests never do. */
export type ClientAbort = () => AbortSignal;

/** The signal is aborted when the connection ends before the whole answer was sent: nobody hears it any more. */
export function clientAbortSignal({ raw }: FastifyReply): ClientAbort {
  let gone: AbortController | undefined;
  return () => {
    if (gone) return gone.signal;
    const made = new AbortController();
    gone = made;
    if (raw.destroyed) made.abort();
    raw.once("close", () => {
      if (!raw.writableFinished) made.abort();
    });
    return made.signal;
  };
}

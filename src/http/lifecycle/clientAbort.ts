import type { FastifyReply } from "fastify";

/**
 * Gives a signal that is aborted when the client disconnects before its answer was sent. The signal is created at the
 * first call, because most requests never need one.
 */
export type ClientAbort = () => AbortSignal;

export function clientAbortSignal({ raw }: FastifyReply): ClientAbort {
  let controller: AbortController | undefined;
  return () => {
    if (controller) return controller.signal;
    const created = new AbortController();
    controller = created;
    if (raw.destroyed) created.abort();
    raw.once("close", () => {
      if (!raw.writableFinished) created.abort();
    });
    return created.signal;
  };
}

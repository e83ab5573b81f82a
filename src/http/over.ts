import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";

/**
 * Calls back once for every request that is over. One whose client left is over as well, which Fastify does not tell,
 * but not before its handler is done.
 * @param over `gone` says that the client left before it had its whole answer.
 */
export function whenOver(
  server: FastifyInstance,
  over: (request: FastifyRequest, reply: FastifyReply, gone: boolean) => void,
): void {
  // An answer that breaks down is begun a second time, as an error.
  const begun = new WeakSet<FastifyRequest>();
  server.addHook("onSend", (request, reply, _payload, done) => {
    if (!begun.has(request)) {
      begun.add(request);
      if (reply.raw.destroyed) over(request, reply, true);
      else reply.raw.once("close", () => over(request, reply, !reply.raw.writableFinished));
    }
    done();
  });
}

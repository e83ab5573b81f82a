import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";

declare module "fastify" {
  interface FastifyRequest {
    isAnswered: boolean;
  }
}

/**
 * Calls back once for every request that is over. One whose client left is over as well, which Fastify does not tell,
 * but not before its handler is done.
 * @param over `gone` says that the client left before it had its whole answer.
 */
export function onRequestFinished(
  server: FastifyInstance,
  over: (request: FastifyRequest, reply: FastifyReply, gone: boolean) => void,
): void {
  server.decorateRequest("isAnswered", false);
  server.addHook("onSend", (request, reply, _payload, done) => {
    // An answer that breaks down is begun a second time, as an error.
    if (!request.isAnswered) {
      request.isAnswered = true;
      if (reply.raw.destroyed) over(request, reply, true);
      else reply.raw.once("close", () => over(request, reply, !reply.raw.writableFinished));
    }
    done();
  });
}

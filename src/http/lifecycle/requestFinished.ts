import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";

declare module "fastify" {
  interface FastifyRequest {
    isAnswered: boolean;
  }
}

/**
 * Calls back once for every finished request. Unlike Fastify's own onResponse hook, this includes requests whose client
 * has left; they are finished when their handler is done.
 * @param callback `isAborted` says that the client left before the whole answer was sent.
 */
export function onRequestFinished(
  server: FastifyInstance,
  callback: (request: FastifyRequest, reply: FastifyReply, isAborted: boolean) => void,
): void {
  server.decorateRequest("isAnswered", false);
  server.addHook("onSend", (request, reply, _payload, done) => {
    // If sending an answer fails, Fastify sends an error instead, which runs this hook a second time.
    if (!request.isAnswered) {
      request.isAnswered = true;
      if (reply.raw.destroyed) callback(request, reply, true);
      else reply.raw.once("close", () => callback(request, reply, !reply.raw.writableFinished));
    }
    done();
  });
}

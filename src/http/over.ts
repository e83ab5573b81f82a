import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";

/**
 * Calls back once for every request that is over. One whose client left is over as well, which Fastify does not tell,
 * but not before its handler is done.
 * @param over `gone` says that the client left before it had its answer.
 */
export function whenOver(
  server: FastifyInstance,
  over: (request: FastifyRequest, reply: FastifyReply, gone: boolean) => void,
): void {
  const ended = new WeakSet<FastifyRequest>();
  const end = (request: FastifyRequest, reply: FastifyReply, gone: boolean): void => {
    if (ended.has(request)) return;
    ended.add(request);
    over(request, reply, gone);
  };
  server.addHook("onResponse", async (request, reply) => end(request, reply, false));
  server.addHook("onSend", async (request, reply) => {
    if (reply.raw.destroyed) end(request, reply, true);
    else reply.raw.once("close", () => end(request, reply, true));
  });
}

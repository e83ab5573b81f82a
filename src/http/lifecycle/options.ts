import type { FastifyInstance, FastifyRequest } from "fastify";

declare module "fastify" {
  interface FastifyContextConfig {
    /** The route answers 405 to methods that its path does not accept. */
    refusesMethod?: boolean;
  }
}

const isPreflight = ({ headers }: FastifyRequest): boolean =>
  headers.origin !== undefined && headers["access-control-request-method"] !== undefined;

/**
 * Answers OPTIONS on every path with the methods that the path accepts. Must be called before CORS is added, because the
 * CORS plugin treats every OPTIONS request as a preflight.
 */
export function addOptions(server: FastifyInstance): void {
  const allowed = new Map<string, Set<string>>();
  server.addHook("onRequest", (request, reply, done) => {
    // Unknown addresses are answered by the not-found handler.
    if (request.method !== "OPTIONS" || isPreflight(request) || request.is404) return done();
    const methods = allowed.get(request.routeOptions.url ?? "");
    if (methods === undefined) return void reply.callNotFound();
    reply
      .code(204)
      .header("allow", [...methods].sort().join(", "))
      .send();
  });
  server.addHook("onRoute", ({ url, method, config }) => {
    const methods = [method].flat();
    if (methods.includes("OPTIONS") || config?.refusesMethod) return;
    const existing = allowed.get(url);
    if (existing !== undefined) {
      for (const one of methods) existing.add(one);
      return;
    }
    allowed.set(url, new Set(["OPTIONS", ...methods]));
    // Only a preflight gets here, and only if no CORS origin is configured.
    server.options(url, (_request, reply) => reply.code(204).send());
  });
}

import type { FastifyInstance, FastifyRequest } from "fastify";

declare module "fastify" {
  interface FastifyContextConfig {
    /** The route only says that its path does not take these methods. */
    refusesMethod?: boolean;
  }
}

const isPreflight = ({ headers }: FastifyRequest): boolean =>
  headers.origin !== undefined && headers["access-control-request-method"] !== undefined;

/**
 * Every path says by OPTIONS which methods it takes. To be called before CORS is added, which would take every OPTIONS for
 * a preflight.
 */
export function addOptions(server: FastifyInstance): void {
  const allowed = new Map<string, Set<string>>();
  server.addHook("onRequest", (request, reply, done) => {
    // The handler of unknown addresses answers by itself.
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
    const known = allowed.get(url);
    if (known !== undefined) {
      for (const one of methods) known.add(one);
      return;
    }
    allowed.set(url, new Set(["OPTIONS", ...methods]));
    // Reached by preflights alone, where no origin is allowed.
    server.options(url, (_request, reply) => reply.code(204).send());
  });
}

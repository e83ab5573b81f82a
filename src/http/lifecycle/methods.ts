import { METHODS } from "node:http";
import type { FastifyInstance } from "fastify";
import { RequestRefusedError } from "./requestFormat.js";

/** Methods that a path may refuse. HEAD is answered on paths with GET, OPTIONS on all; CONNECT never reaches the router. */
const REFUSABLE = METHODS.filter((method) => !["HEAD", "OPTIONS", "CONNECT"].includes(method));

/** Makes Fastify accept every method that Node.js can parse. Must be called before any route is declared. */
export function addMethods(server: FastifyInstance): void {
  for (const method of REFUSABLE) {
    if (!server.supportedMethods.includes(method)) server.addHttpMethod(method);
  }
}

/**
 * Answers 405 to all other methods of these paths, in the endpoint's form of errors and before the body is read. Must be
 * called after the endpoint's routes are declared.
 */
export function refuseOtherMethods(endpoint: FastifyInstance, paths: Iterable<string>): void {
  for (const url of paths) {
    const accepted = REFUSABLE.filter((method) => endpoint.hasRoute({ url, method }));
    const allow = accepted.join(", ");
    endpoint.route({
      url,
      method: REFUSABLE.filter((method) => !accepted.includes(method)),
      schema: { hide: true },
      config: { refusesMethod: true },
      onRequest: (_request, _reply, done) =>
        done(new RequestRefusedError(405, "METHOD_NOT_ALLOWED", `This path accepts ${allow}.`, { allow })),
      handler: () => undefined,
    });
  }
}

import { METHODS } from "node:http";
import type { FastifyInstance } from "fastify";
import { RequestRefusedError } from "./requestFormat.js";

/** HEAD goes with GET, every path has OPTIONS, and CONNECT never reaches the router. */
const REFUSABLE = METHODS.filter((method) => !["HEAD", "OPTIONS", "CONNECT"].includes(method));

/** Lets routes be declared for every method that Node.js can read. To be called before any route is. */
export function addMethods(server: FastifyInstance): void {
  for (const method of REFUSABLE) {
    if (!server.supportedMethods.includes(method)) server.addHttpMethod(method);
  }
}

/**
 * Answers 405 to the methods that these paths do not take, in the form of the endpoint, and before a body is read. To be
 * called after the endpoint's routes were declared.
 */
export function refuseOtherMethods(endpoint: FastifyInstance, paths: Iterable<string>): void {
  for (const url of paths) {
    const taken = REFUSABLE.filter((method) => endpoint.hasRoute({ url, method }));
    const allow = taken.join(", ");
    endpoint.route({
      url,
      method: REFUSABLE.filter((method) => !taken.includes(method)),
      schema: { hide: true },
      config: { refusesMethod: true },
      onRequest: (_request, _reply, done) =>
        done(new RequestRefusedError(405, "METHOD_NOT_ALLOWED", `This path takes ${allow}.`, { allow })),
      handler: () => undefined,
    });
  }
}

import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { DomainRequest } from "../../domain/request.js";
import type { EVERYTHING, Twin } from "./twins.js";

/** The Fastify instance of the REST routes, whose schemas are written with zod. */
export type RestEndpoint =
  FastifyInstance extends FastifyInstance<infer S, infer Q, infer P, infer L>
    ? FastifyInstance<S, Q, P, L, ZodTypeProvider>
    : never;

/**
 * Gives the domain's services for the caller of a request, after its twin's cost was spent.
 * @throws RateLimitedError if the caller has spent the limit of the minute.
 */
export type OpenRequest = (
  request: FastifyRequest,
  reply: FastifyReply,
  twin: Twin | typeof EVERYTHING,
) => Promise<DomainRequest>;

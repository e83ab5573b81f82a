import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { DomainRequest } from "../../domain/request.js";

/** The Fastify instance of the REST routes, whose schemas are written with zod. */
export type RestEndpoint =
  FastifyInstance extends FastifyInstance<infer S, infer Q, infer P, infer L>
    ? FastifyInstance<S, Q, P, L, ZodTypeProvider>
    : never;

/** Gives the domain's services for the caller of a request. */
export type OpenRequest = (request: FastifyRequest, reply: FastifyReply) => DomainRequest;

import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { DomainRequest } from "../../domain/request.js";

/** The server inside this face: its routes' schemas are zod's. */
export type RestEndpoint =
  FastifyInstance extends FastifyInstance<infer S, infer Q, infer P, infer L>
    ? FastifyInstance<S, Q, P, L, ZodTypeProvider>
    : never;

/** All that the caller of a request can do. */
export type OpenRequest = (request: FastifyRequest, reply: FastifyReply) => DomainRequest;

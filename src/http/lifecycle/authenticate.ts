import type { FastifyReply, FastifyRequest } from "fastify";
import type { BearerTokens } from "./bearer.js";
import { requestRecordOf } from "./requestRecord.js";

/**
 * An onRequest hook that lets only requests with a valid API token pass. It runs before the body is read, so that bodies of
 * strangers take no memory.
 * @param refuse sends the 401 in the form of the endpoint.
 */
export const authenticate =
  (bearer: BearerTokens, refuse: (reply: FastifyReply) => FastifyReply) =>
  async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    const caller = await bearer.findCaller(request);
    requestRecordOf(request).caller = caller;
    if (caller !== null) return undefined;
    return refuse(reply.header("www-authenticate", 'Bearer realm="invite-links"'));
  };

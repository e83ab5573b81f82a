import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import { serializerCompiler } from "fastify-type-provider-zod";
import { type Domain, DomainRequest } from "../domain/request.js";
import type { Logger } from "../log.js";
import type { BearerTokens } from "./lifecycle/bearer.js";
import { clientAbortSignal } from "./lifecycle/clientAbort.js";
import { refuseOtherMethods } from "./lifecycle/methods.js";
import { addRequestFormat } from "./lifecycle/requestFormat.js";
import { requestRecordOf } from "./lifecycle/requestRecord.js";
import type { OpenRequest, RestEndpoint } from "./rest/endpoint.js";
import { answerError, refuse } from "./rest/errors.js";
import { addDocs } from "./rest/openApi.js";
import { addLinks } from "./rest/routes/links.js";
import { addTags } from "./rest/routes/tags.js";
import { refuseMalformed, validatorCompiler } from "./rest/validation.js";

export interface RestOptions {
  readonly domain: Domain;
  readonly bearer: BearerTokens;
}

/** Before the body is read: nobody unknown has one kept here. */
const authenticatedBy = (bearer: BearerTokens) => async (request: FastifyRequest, reply: FastifyReply) => {
  const caller = await bearer.findCaller(request);
  requestRecordOf(request).caller = caller;
  if (caller !== null) return;
  reply.header("www-authenticate", 'Bearer realm="invite-links"');
  return refuse(reply, 401, "UNAUTHENTICATED", "Unauthorized");
};

/**
 * The REST face, for the clients of the former API: the same paths, parameters, JSON and statuses, over the same
 * domain as the graph. Each route's schemas are its types, its validation and its place in /openapi.json.
 */
export async function addRest(server: FastifyInstance, { domain, bearer }: RestOptions): Promise<void> {
  const openRequest: OpenRequest = (request, reply) => {
    const { caller } = requestRecordOf(request);
    if (caller === null) throw new TypeError("A request got past the door unauthenticated.");
    return new DomainRequest(domain, {
      caller,
      log: request.log as Logger,
      clientAbort: clientAbortSignal(reply),
    });
  };
  // Encapsulated: who calls, how bodies are read and the form of errors are these routes' alone.
  const routes: FastifyPluginAsync = async (inside) => {
    const endpoint = inside as unknown as RestEndpoint;
    const paths = new Set<string>();
    endpoint.addHook("onRoute", ({ url }) => {
      paths.add(url);
    });
    endpoint.addHook("onRequest", authenticatedBy(bearer));
    endpoint.addHook("preHandler", refuseMalformed);
    endpoint.setErrorHandler<Error>((error, request, reply) => {
      domain.storageGuard.noteFailure(error);
      return answerError(error, request, reply);
    });
    endpoint.setValidatorCompiler(validatorCompiler);
    endpoint.setSerializerCompiler(serializerCompiler);
    const readJson = endpoint.getDefaultJsonParser("remove", "remove");
    addRequestFormat(inside, {
      answers: ["application/json"],
      parse(request, text, done) {
        // A body in chunks, none of which came.
        if (text === "") done(null, undefined);
        else void readJson(request, text, done);
      },
    });
    addLinks(endpoint, openRequest);
    addTags(endpoint, openRequest);
    refuseOtherMethods(inside, [...paths]);
  };
  const face: FastifyPluginAsync = async (inside) => {
    await addDocs(inside);
    await inside.register(routes);
  };
  await server.register(face);
}

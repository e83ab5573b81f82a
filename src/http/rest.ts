import type { FastifyInstance, FastifyPluginAsync } from "fastify";
import { serializerCompiler } from "fastify-type-provider-zod";
import { type Domain, DomainRequest } from "../domain/request.js";
import type { Logger } from "../log.js";
import { authenticate } from "./lifecycle/authenticate.js";
import type { BearerTokens } from "./lifecycle/bearer.js";
import { ConnectedClient } from "./lifecycle/connectedClient.js";
import { refuseOtherMethods } from "./lifecycle/methods.js";
import { addRateLimitHeaders } from "./lifecycle/rateLimitHeaders.js";
import { addRequestFormat } from "./lifecycle/requestFormat.js";
import { requestRecordOf } from "./lifecycle/requestRecord.js";
import type { OpenRequest, RestEndpoint } from "./rest/endpoint.js";
import { answerError, refuse } from "./rest/errors.js";
import { addDocs } from "./rest/openApi.js";
import { addLinks } from "./rest/routes/links.js";
import { addTags } from "./rest/routes/tags.js";
import { addTransfer } from "./rest/routes/transfer.js";
import type { SpoolLimits } from "./rest/spool.js";
import { costOfCall } from "./rest/twins.js";
import { refuseMalformed, validatorCompiler } from "./rest/validation.js";

export interface RestOptions {
  readonly domain: Domain;
  readonly bearer: BearerTokens;
  readonly spoolLimits?: SpoolLimits;
}

/**
 * Adds the REST face for clients of the former API, with that API's paths, parameters, JSON and statuses. It uses the same
 * domain as GraphQL. The schemas of a route give its types, its validation and its description in /openapi.json.
 */
export async function addRest(
  server: FastifyInstance,
  { domain, bearer, spoolLimits }: RestOptions,
): Promise<void> {
  const { rateLimit } = domain;
  const openRequest: OpenRequest = async (request, reply, twin) => {
    const { caller } = requestRecordOf(request);
    if (caller === null) throw new TypeError("An unauthenticated request reached a route.");
    if (rateLimit) await rateLimit.spend(caller, costOfCall(twin, rateLimit.limit));
    return new DomainRequest(domain, {
      caller,
      log: request.log as Logger,
      client: new ConnectedClient(reply),
    });
  };
  // A plugin of its own, because authentication, body parsing and the form of errors apply to these routes only.
  const prepare = (inside: FastifyInstance): { endpoint: RestEndpoint; paths: Set<string> } => {
    const endpoint = inside as unknown as RestEndpoint;
    const paths = new Set<string>();
    endpoint.addHook("onRoute", ({ url }) => {
      paths.add(url);
    });
    endpoint.addHook(
      "onRequest",
      authenticate(bearer, (reply) => refuse(reply, 401, "UNAUTHENTICATED", "Unauthorized")),
    );
    addRateLimitHeaders(inside, rateLimit);
    endpoint.addHook("preHandler", refuseMalformed);
    endpoint.setErrorHandler<Error>((error, request, reply) => {
      domain.storageGuard.recordFailure(error);
      return answerError(error, request, reply);
    });
    endpoint.setValidatorCompiler(validatorCompiler);
    endpoint.setSerializerCompiler(serializerCompiler);
    return { endpoint, paths };
  };
  const routes: FastifyPluginAsync = async (inside) => {
    const { endpoint, paths } = prepare(inside);
    const readJson = endpoint.getDefaultJsonParser("remove", "remove");
    addRequestFormat(inside, {
      answers: ["application/json"],
      parse(request, text, done) {
        // A chunked body without any chunk.
        if (text === "") done(null, undefined);
        else void readJson(request, text, done);
      },
    });
    addLinks(endpoint, openRequest);
    addTags(endpoint, openRequest);
    refuseOtherMethods(inside, [...paths]);
  };
  // Bodies and answers that are streams need another request format.
  const transfer: FastifyPluginAsync = async (inside) => {
    const { endpoint, paths } = prepare(inside);
    addTransfer(endpoint, openRequest, spoolLimits);
    refuseOtherMethods(inside, [...paths]);
  };
  const face: FastifyPluginAsync = async (inside) => {
    await addDocs(inside);
    await inside.register(routes);
    await inside.register(transfer);
  };
  await server.register(face);
}

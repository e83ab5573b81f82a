import type { FastifyInstance, FastifyReply } from "fastify";
import { type RateLimit, type RemainingLimit, secondsUntil } from "../../domain/access/rateLimit.js";
import { requestRecordOf } from "./requestRecord.js";

/** The headers that tell callers what they may still spend. Browsers show them only to scripts of allowed origins. */
export const RATE_LIMIT_HEADERS = ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"] as const;

function setHeaders(reply: FastifyReply, remaining: RemainingLimit | null): void {
  if (remaining === null) return;
  reply.headers({
    "ratelimit-limit": remaining.limit,
    "ratelimit-remaining": remaining.remaining,
    "ratelimit-reset": secondsUntil(remaining),
  });
}

/** Adds the headers to every answer of an endpoint to a caller who is limited, whatever the answer is. */
export function addRateLimitHeaders(endpoint: FastifyInstance, rateLimit: RateLimit | null): void {
  if (rateLimit === null) return;
  endpoint.addHook("onSend", (request, reply, _payload, done) => {
    const { caller } = requestRecordOf(request);
    if (caller === null) return done();
    const remaining = rateLimit.lookNearby(caller);
    if (!(remaining instanceof Promise)) {
      setHeaders(reply, remaining);
      return done();
    }
    remaining.then((found) => {
      setHeaders(reply, found);
      done();
    }, done);
  });
}

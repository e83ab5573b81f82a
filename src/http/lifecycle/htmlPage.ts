import type { FastifyReply } from "fastify";

const CORS_HEADERS = ["access-control-allow-origin", "access-control-expose-headers"];

/** Sets the headers of a page that may contain an API token: not framed, not readable by other origins. */
export function asPrivatePage(reply: FastifyReply, contentPolicy: string): FastifyReply {
  for (const name of CORS_HEADERS) reply.removeHeader(name);
  return reply
    .header("content-type", "text/html; charset=utf-8")
    .header("content-security-policy", contentPolicy)
    .header("cross-origin-resource-policy", "same-origin")
    .header("x-frame-options", "DENY")
    .header("referrer-policy", "no-referrer");
}

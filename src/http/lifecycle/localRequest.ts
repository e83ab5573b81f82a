import { isIP } from "node:net";
import type { FastifyRequest } from "fastify";

const isLoopback = (address: string): boolean =>
  address === "::1" || (isIP(address) === 4 && address.startsWith("127."));

/** What a browser on this machine sends. Any other name that leads here is another site's. */
const LOOPBACK_HOST = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i;

/** Headers that proxies and content delivery networks add to the requests of others. */
const PROXY_HEADER =
  /^(forwarded|via|x-forwarded.*|x-real-ip|x-client-ip|true-client-ip|x-cluster-client-ip|cf-.*|x-original-.*)$/;

/**
 * Whether nobody but this machine's user can have asked: not through a proxy, not by a page of another origin, and not
 * where others are let in.
 */
export function isLocalRequest({ headers, raw, server }: FastifyRequest): boolean {
  const { host = "", origin } = headers;
  const addresses = server.addresses();
  return (
    // Only proxies are asked for whole addresses, whose host then counts instead of the header.
    raw.url?.startsWith("/") === true &&
    LOOPBACK_HOST.test(host) &&
    (origin === undefined || origin === `http://${host}`) &&
    !Object.keys(headers).some((name) => PROXY_HEADER.test(name)) &&
    addresses.length > 0 &&
    addresses.every((bound) => typeof bound === "object" && isLoopback(bound.address))
  );
}

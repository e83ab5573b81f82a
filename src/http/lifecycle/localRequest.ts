import { isIP } from "node:net";
import type { FastifyRequest } from "fastify";

const isLoopback = (address: string): boolean =>
  address === "::1" || (isIP(address) === 4 && address.startsWith("127."));

/** The Host header of a browser on this machine. Another name that resolves to this machine belongs to another site. */
const LOOPBACK_HOST = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i;

/** Headers that proxies and content delivery networks add to forwarded requests. */
const PROXY_HEADER =
  /^(forwarded|via|x-forwarded.*|x-real-ip|x-client-ip|true-client-ip|x-cluster-client-ip|cf-.*|x-original-.*)$/;

/**
 * Whether only this machine's user can have sent the request: the server listens on loopback addresses only, and the
 * request came neither through a proxy nor from a page of another origin.
 */
export function isLocalRequest({ headers, raw, server }: FastifyRequest): boolean {
  const { host = "", origin } = headers;
  const addresses = server.addresses();
  return (
    // A request line with a full address is meant for a proxy, and its host would count instead of the header.
    raw.url?.startsWith("/") === true &&
    LOOPBACK_HOST.test(host) &&
    (origin === undefined || origin === `http://${host}`) &&
    !Object.keys(headers).some((name) => PROXY_HEADER.test(name)) &&
    addresses.length > 0 &&
    addresses.every((bound) => typeof bound === "object" && isLoopback(bound.address))
  );
}

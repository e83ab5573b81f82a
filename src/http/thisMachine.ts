import { isIP } from "node:net";
import type { FastifyRequest } from "fastify";

const isLoopback = (address: string): boolean =>
  address === "::1" || (isIP(address) === 4 && address.startsWith("127."));

/** What a browser on this machine sends. Any other name that leads here is another site's. */
const LOOPBACK_HOST = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i;

/** Whether nobody but this machine's user can have asked: not through a proxy, and not where others are let in. */
export function isForThisMachine({ headers, server }: FastifyRequest): boolean {
  const forwarded = headers["forwarded"] ?? headers["x-forwarded-for"] ?? headers["x-forwarded-host"];
  const addresses = server.addresses();
  return (
    forwarded === undefined &&
    LOOPBACK_HOST.test(headers.host ?? "") &&
    addresses.length > 0 &&
    addresses.every((bound) => typeof bound === "object" && isLoopback(bound.address))
  );
}

import type { FastifyRequest } from "fastify";
import ip from "ipaddr.js";
import { LRUCache } from "lru-cache";
import type { Authentication } from "../../domain/access/authentication.js";
import type { Caller } from "../../domain/shared/caller.js";
import { RequestRefusedError } from "./requestFormat.js";

/** The number of wrong tokens that one address may send within WINDOW_MS. */
const MAX_WRONG = 30;
const WINDOW_MS = 60_000;
/** The number of remembered addresses. If there are more, the least recently seen one is forgotten. */
const MAX_ADDRESSES = 10_000;

/** The unit that is limited: an IPv4 address, or the /64 network of an IPv6 address, which usually belongs to one client. */
function addressKey({ ip: client, raw }: FastifyRequest): string {
  // A trusted proxy may forward a text that is not an address. Then the proxy's own address counts.
  const text = ip.isValid(client) ? client : (raw.socket.remoteAddress ?? "");
  if (!ip.isValid(text)) return "";
  const address = ip.process(text);
  return address instanceof ip.IPv6 ? address.parts.slice(0, 4).join(":") : address.toString();
}

/** Authenticates requests by their bearer token, and limits how many wrong tokens one address may send. */
export class BearerTokens {
  readonly #authentication: Pick<Authentication, "authenticate">;
  readonly #now: () => number;
  /** The times of each address's latest wrong tokens, in milliseconds, the oldest first. */
  readonly #wrong = new LRUCache<string, number[]>({ max: MAX_ADDRESSES });

  constructor(
    authentication: Pick<Authentication, "authenticate">,
    now: () => number = () => performance.now(),
  ) {
    this.#authentication = authentication;
    this.#now = now;
  }

  /**
   * Finds the caller by the Authorization header. Null without the header, and for a token that is not valid.
   * @throws RequestRefusedError (429) for a wrong token from an address that sent too many of them within a minute.
   */
  async findCaller(request: FastifyRequest): Promise<Caller | null> {
    const { authorization } = request.headers;
    if (authorization === undefined) return null;
    const secret = /^Bearer +([\x21-\x7e]{1,512})$/i.exec(authorization)?.[1];
    const caller = secret === undefined ? null : await this.#authentication.authenticate(secret);
    if (caller === null) this.#recordWrongToken(addressKey(request));
    return caller;
  }

  #recordWrongToken(address: string): void {
    const now = this.#now();
    const times = (this.#wrong.get(address) ?? []).filter((time) => time > now - WINDOW_MS);
    this.#wrong.set(address, times);
    const [oldest] = times;
    if (oldest !== undefined && times.length >= MAX_WRONG) {
      const seconds = Math.max(1, Math.ceil((oldest + WINDOW_MS - now) / 1000));
      throw new RequestRefusedError(
        429,
        "RATE_LIMITED",
        `Too many wrong API tokens came from this address. Wait ${seconds} s, or send a valid token.`,
        { "retry-after": String(seconds) },
      );
    }
    times.push(now);
  }
}

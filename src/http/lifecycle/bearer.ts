import type { FastifyRequest } from "fastify";
import ip from "ipaddr.js";
import { LRUCache } from "lru-cache";
import type { Authentication } from "../../domain/access/authentication.js";
import type { Caller } from "../../domain/shared/caller.js";
import { RequestRefusedError } from "./requestFormat.js";

const WINDOW_MS = 60_000;
const MAX_WRONG = 30;
/** Addresses that are remembered; beyond that the one that was seen longest ago is forgotten. */
const MAX_ADDRESSES = 10_000;

/** What counts as one address: an IPv4 address, or the /64 of an IPv6 address, which one client has to itself. */
function addressKey({ ip: client, raw }: FastifyRequest): string {
  // A trusted proxy may pass on a text that is no address.
  const text = ip.isValid(client) ? client : (raw.socket.remoteAddress ?? "");
  if (!ip.isValid(text)) return "";
  const address = ip.process(text);
  return address instanceof ip.IPv6 ? address.parts.slice(0, 4).join(":") : address.toString();
}

/** Bearer tokens of requests, and how often one address may try wrong ones. */
export class BearerTokens {
  readonly #authentication: Pick<Authentication, "authenticate">;
  readonly #now: () => number;
  /** When each address sent its last wrong tokens, in milliseconds, the oldest first. */
  readonly #wrong = new LRUCache<string, number[]>({ max: MAX_ADDRESSES });

  constructor(
    authentication: Pick<Authentication, "authenticate">,
    now: () => number = () => performance.now(),
  ) {
    this.#authentication = authentication;
    this.#now = now;
  }

  /**
   * The caller whom a request's Authorization header names; null without one, or with one that is not valid.
   * @throws RequestRefusedError (429) for a wrong one from an address that sent too many within a minute.
   */
  async findCaller(request: FastifyRequest): Promise<Caller | null> {
    const { authorization } = request.headers;
    if (authorization === undefined) return null;
    const secret = /^Bearer +([\x21-\x7e]{1,512})$/i.exec(authorization)?.[1];
    const caller = secret === undefined ? null : await this.#authentication.authenticate(secret);
    if (caller === null) this.#noteWrong(addressKey(request));
    return caller;
  }

  #noteWrong(address: string): void {
    const now = this.#now();
    const times = (this.#wrong.get(address) ?? []).filter((time) => time > now - WINDOW_MS);
    this.#wrong.set(address, times);
    const [oldest] = times;
    if (oldest !== undefined && times.length >= MAX_WRONG) {
      const seconds = Math.max(1, Math.ceil((oldest + WINDOW_MS - now) / 1000));
      throw new RequestRefusedError(
        429,
        "RATE_LIMITED",
        `Too many wrong API tokens came from this address. Wait ${seconds} s, or send a valid one.`,
        { "retry-after": String(seconds) },
      );
    }
    times.push(now);
  }
}

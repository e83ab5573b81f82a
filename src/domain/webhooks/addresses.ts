import { lookup } from "node:dns";
import ip from "ipaddr.js";

/** The address of a receiver leads into a private or reserved network. */
export class PrivateAddressError extends Error {
  override readonly name = "PrivateAddressError";

  constructor() {
    super("The address leads to a private or reserved network.");
  }
}

export interface ResolvedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/** Networks of IPv6 that carry an IPv4 address in their last bits: NAT64 of RFC 6052. */
const NAT64 = ip.IPv6.parseCIDR("64:ff9b::/96");
/** A public address that leads to a private service: of the machines in Microsoft's cloud. */
const PRIVATE_SERVICES = ["168.63.129.16"];
/** The only range of IPv6 that is given to the public. */
const GLOBAL_IPV6 = ip.IPv6.parseCIDR("2000::/3");

const isPublicIPv4 = (address: ip.IPv4): boolean =>
  address.range() === "unicast" && !PRIVATE_SERVICES.includes(address.toString());

/**
 * Whether an IP address belongs to the public internet. An IPv4 address inside of an IPv6 address (mapped, NAT64) is judged
 * itself. What the library does not know as reserved in IPv6 must be in the range that is given to the public.
 */
export function isPublic(text: string): boolean {
  if (!ip.isValid(text)) return false;
  const address = ip.process(text);
  if (address instanceof ip.IPv4) return isPublicIPv4(address);
  if (address.match(NAT64)) return isPublicIPv4(new ip.IPv4(address.toByteArray().slice(-4)));
  return address.match(GLOBAL_IPV6) && address.range() === "unicast";
}

/** The IP address that an address names; null for a name. The URL parser has rewritten every spelling of IPv4. */
export function literalOf({ hostname }: URL): ResolvedAddress | null {
  const bare = hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
  if (!ip.isValid(bare)) return null;
  return { address: bare, family: bare.includes(":") ? 6 : 4 };
}

/** A name that leads to this machine by its definition (RFC 6761), with or without the final dot. */
export const isLocalName = ({ hostname }: URL): boolean => /(^|\.)localhost\.?$/i.test(hostname);

export type Resolve = (hostname: string) => Promise<readonly ResolvedAddress[]>;

/** Looks a name up as other programs of this machine do. */
export const resolveName: Resolve = (hostname) =>
  new Promise((resolve, reject) => {
    lookup(hostname, { all: true }, (error, addresses) => {
      if (error) reject(error);
      else
        resolve(
          addresses.map(
            ({ address, family }): ResolvedAddress => ({ address, family: family === 6 ? 6 : 4 }),
          ),
        );
    });
  });

/**
 * The IP addresses to which an address leads at this moment, each of which may be connected to.
 * @throws PrivateAddressError if there is none; the resolver's error
 */
export async function allowedAddresses(
  url: URL,
  allowPrivate: boolean,
  resolve: Resolve,
): Promise<readonly ResolvedAddress[]> {
  const literal = literalOf(url);
  const found = literal ? [literal] : await resolve(url.hostname);
  const allowed = allowPrivate ? found : found.filter(({ address }) => isPublic(address));
  if (allowed.length === 0) throw new PrivateAddressError();
  return allowed;
}

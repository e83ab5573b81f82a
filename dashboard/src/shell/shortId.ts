import { addressFor } from "./channel.js";

// Ids in addresses. This API's ids are "Type:uuid" in base64, more than fifty characters, of which an address needs only
// the uuid's sixteen bytes: 22 characters. An id of any other form stands in an address as it is.

const SHORT = /^[\w-]{22}$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** @param type the name of the object's type in the schema */
export function expandId(type: string, short: string): string {
  if (!SHORT.test(short)) return short;
  const bytes = [...atob(short.replaceAll("-", "+").replaceAll("_", "/"))];
  const hex = bytes.map((byte) => byte.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  return btoa(`${type}:${hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-")}`);
}

/** @param type the name of the object's type in the schema */
export function shortenId(type: string, id: string): string {
  const uuid = decode(id).slice(type.length + 1);
  if (!UUID.test(uuid)) return id;
  const bytes = (uuid.replaceAll("-", "").match(/../g) ?? []).map((hex) => Number.parseInt(hex, 16));
  const short = btoa(String.fromCharCode(...bytes))
    .slice(0, 22)
    .replaceAll("+", "-")
    .replaceAll("/", "_");
  return expandId(type, short) === id ? short : id;
}

function decode(id: string): string {
  try {
    return atob(id);
  } catch {
    return "";
  }
}

/** The address of a link's own page. */
export const addressOfLink = (id: string, channelId: number): string =>
  addressFor(`/links/${shortenId("InviteLink", id)}`, channelId);

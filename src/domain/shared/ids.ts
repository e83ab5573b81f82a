import { uuidv7 } from "uuidv7";
import type { Problems } from "./errors.js";

/** The types that have global ids. */
export const ID_KINDS = [
  "InviteLink",
  "Tag",
  "TagType",
  "Channel",
  "ApiToken",
  "UncertainCreation",
  "Membership",
  "MemberEvent",
  "FailedUpdate",
  "JoinRequest",
  "AuditEntry",
  "Webhook",
  "WebhookDelivery",
  "InviteLinkBatch",
] as const;
export type IdKind = (typeof ID_KINDS)[number];

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** Longer than any id: a longer text is refused unread. */
const MAX_LENGTH = 128;

/** A new UUIDv7: ids sort by age. */
export const newId = (): string => uuidv7();

/** What the ids of a millisecond begin with, up to the version; the remaining digits are random. */
export function idBeginning(milliseconds: number): string {
  const digits = Math.max(0, milliseconds).toString(16).padStart(12, "0");
  return `${digits.slice(0, 8)}-${digits.slice(8)}-7`;
}

/** The smallest id of a millisecond: all ids from before sort before it. */
export const firstIdOf = (milliseconds: number): string =>
  `${idBeginning(milliseconds)}000-8000-000000000000`;

/** Relay's global id of an object. */
export function globalId(kind: IdKind, id: string): string {
  // btoa is faster than a Buffer, and a page has hundreds of ids; ids are ASCII.
  return btoa(`${kind}:${id}`);
}

/** The type and the UUID of a global id; null if the text is not a global id. */
export function parseGlobalId(text: string): { kind: IdKind; id: string } | null {
  if (text.length > MAX_LENGTH) return null;
  const bytes = Buffer.from(text, "base64");
  // Buffer ignores characters that are not base64.
  if (bytes.toString("base64").replace(/=+$/, "") !== text.replace(/=+$/, "")) return null;
  const [name, id, ...rest] = bytes.toString("utf8").split(":");
  const kind = ID_KINDS.find((candidate) => candidate === name);
  const uuid = id?.toLowerCase();
  if (kind === undefined || uuid === undefined || rest.length > 0 || !UUID.test(uuid)) return null;
  return { kind, id: uuid };
}

/**
 * Parses an id of a known kind, which is a global id or a bare UUID.
 * @returns the UUID; null if the text is not such an id, which is added to `problems`.
 */
export function parseId(kind: IdKind, text: string, field: string, problems: Problems): string | null {
  const bare = text.length <= MAX_LENGTH ? text.toLowerCase() : "";
  if (UUID.test(bare)) return bare;
  const parsed = parseGlobalId(text);
  if (parsed?.kind === kind) return parsed.id;
  problems.add(field, parsed ? `This id is of type ${parsed.kind}, not ${kind}.` : `This is no ${kind} id.`);
  return null;
}

/**
 * Parses an id of any kind, which is a global id or a bare UUID.
 * @returns the UUID; null if the text is not an id, which is added to `problems`.
 */
export function parseAnyId(text: string, field: string, problems: Problems): string | null {
  const bare = text.length <= MAX_LENGTH ? text.toLowerCase() : "";
  const id = UUID.test(bare) ? bare : (parseGlobalId(text)?.id ?? null);
  if (id === null) problems.add(field, "This is no id.");
  return id;
}

/** Parses a list of ids as parseId does. More than `most` are a problem of the whole list, and give an empty list. */
export function parseIds(
  kind: IdKind,
  texts: readonly string[],
  field: string,
  problems: Problems,
  most: number,
): (string | null)[] {
  if (texts.length > most) {
    problems.add(field, `Must be at most ${most}.`);
    return [];
  }
  return texts.map((text, index) => parseId(kind, text, `${field}.${index}`, problems));
}

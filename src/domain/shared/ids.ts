import { uuidv7 } from "uuidv7";
import type { Problems } from "./errors.js";

/** The kinds of thing that have an id of their own. */
export const ID_KINDS = ["InviteLink", "Tag", "TagType", "Channel", "ApiToken", "UncertainCreation"] as const;
export type IdKind = (typeof ID_KINDS)[number];

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** Longer than any id: what is not looked at any further. */
const MAX_LENGTH = 128;

/** A new id: a UUIDv7, so that ids sort by age. */
export const newId = (): string => uuidv7();

/** A Relay global id. */
export function globalId(kind: IdKind, id: string): string {
  // Quicker than a Buffer, of which a page would take hundreds; ids are ASCII.
  return btoa(`${kind}:${id}`);
}

/** What a global id names, or null where the text is none. */
export function parseGlobalId(text: string): { kind: IdKind; id: string } | null {
  if (text.length > MAX_LENGTH) return null;
  const bytes = Buffer.from(text, "base64");
  // Buffer passes over whatever is not base64.
  if (bytes.toString("base64").replace(/=+$/, "") !== text.replace(/=+$/, "")) return null;
  const [name, id, ...rest] = bytes.toString("utf8").split(":");
  const kind = ID_KINDS.find((candidate) => candidate === name);
  const uuid = id?.toLowerCase();
  if (kind === undefined || uuid === undefined || rest.length > 0 || !UUID.test(uuid)) return null;
  return { kind, id: uuid };
}

/**
 * The UUID in an id of a known kind, given as global id or bare.
 * @returns null, having said in `problems` what is wrong, where it is none.
 */
export function parseId(kind: IdKind, text: string, field: string, problems: Problems): string | null {
  const bare = text.length <= MAX_LENGTH ? text.toLowerCase() : "";
  if (UUID.test(bare)) return bare;
  const parsed = parseGlobalId(text);
  if (parsed?.kind === kind) return parsed.id;
  problems.add(field, parsed ? `This id is of type ${parsed.kind}, not ${kind}.` : `This is no ${kind} id.`);
  return null;
}

/** As parseId, for a list: each in its place, what is wrong said by that; none of them where there are too many. */
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

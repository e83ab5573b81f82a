// The one grammar of an invite link's address. Telegram identifies a link by the hash in its address; everything else
// in the address may be spelled in several ways, and all spellings are read as https://t.me/+HASH.

/** In UTF-16 units. Addresses with tracking parameters stay far below it. */
const MAX_LENGTH = 4096;

/** What surrounds an address in a sentence or a message: white space, invisible characters, quotes and brackets. */
const BEFORE = String.raw`[\s\u200b-\u200f\u2060<(\[{"'«“„‘]*`;
/** A full stop is punctuation only where no other one follows: Telegram writes "..." for the rest of a hash. */
const AFTER = String.raw`(?:[\s\u200b-\u200f\u2060>)\]}"'»”“’,;:!]|\.(?!\.))*`;

const HASH = String.raw`(?<hash>[A-Za-z0-9_-]{1,128})(?<shortened>\.{3}|…)?`;
/** A plus may be percent-encoded, or decoded as a space, as Telegram's own applications accept it. */
const WEB = String.raw`(?:(?:https?:)?\/\/)?(?:www\.)?(?:t\.me|telegram\.me|telegram\.dog)\/(?:joinchat\/|\+|%2B|%20| )${HASH}\/?`;

const WEB_ADDRESS = new RegExp(String.raw`^${BEFORE}${WEB}(?:[?#]\S*\s*|${AFTER})$`, "i");
const APP_ADDRESS = new RegExp(
  String.raw`^${BEFORE}tg:(?:\/\/)?join\/?\?(?:[^\s#]*&)?invite=${HASH}(?:[&#]\S*\s*|${AFTER})$`,
  "i",
);

interface InviteLinkUrl {
  /** https://t.me/+HASH, with "..." behind it where the rest of the hash is missing. */
  readonly url: string;
  /** Whether the rest of the hash is missing: Telegram shows other administrators' links so. */
  readonly isShortened: boolean;
}

/** Reads any spelling of an invite link's address, shortened ones included; null where the text is no such address. */
export function readInviteLinkUrl(text: string): InviteLinkUrl | null {
  if (text.length > MAX_LENGTH) return null;
  const { hash, shortened } = (WEB_ADDRESS.exec(text) ?? APP_ADDRESS.exec(text))?.groups ?? {};
  if (hash === undefined) return null;
  const isShortened = shortened !== undefined;
  return { url: `https://t.me/+${hash}${isShortened ? "..." : ""}`, isShortened };
}

/** The address of an invite link as Telegram writes it; null where the text is no whole invite link's address. */
export function parseInviteLinkUrl(text: string): string | null {
  const read = readInviteLinkUrl(text);
  return read === null || read.isShortened ? null : read.url;
}

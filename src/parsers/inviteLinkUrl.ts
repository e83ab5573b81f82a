// The only parser of invite links' addresses. Telegram identifies a link by the hash in its address. The rest of the
// address has several spellings, which are all read as https://t.me/+HASH.

/** In UTF-16 units. Addresses with tracking parameters stay far below it. */
const MAX_LENGTH = 4096;

/** Characters around an address in a sentence: white space, invisible characters, quotes and brackets. */
const BEFORE = String.raw`[\s\u200b-\u200f\u2060<(\[{"'«“„‘]*`;
/** A single full stop is punctuation. Telegram writes "..." in place of the rest of a hash. */
const AFTER = String.raw`(?:[\s\u200b-\u200f\u2060>)\]}"'»”“’,;:!]|\.(?!\.))*`;

const HASH = String.raw`(?<hash>[A-Za-z0-9_-]{1,128})(?<shortened>\.{3}|…)?`;
/** Like Telegram's own applications, accepts a plus that is percent-encoded or was decoded to a space. */
const WEB = String.raw`(?:(?:https?:)?\/\/)?(?:www\.)?(?:t\.me|telegram\.me|telegram\.dog)\/(?:joinchat\/|\+|%2B|%20| )${HASH}\/?`;

const WEB_ADDRESS = new RegExp(String.raw`^${BEFORE}${WEB}(?:[?#]\S*\s*|${AFTER})$`, "i");
const APP_ADDRESS = new RegExp(
  String.raw`^${BEFORE}tg:(?:\/\/)?join\/?\?(?:[^\s#]*&)?invite=${HASH}(?:[&#]\S*\s*|${AFTER})$`,
  "i",
);

/** Telegram's own spelling, which updates have. Reading it costs a tenth of reading any spelling. */
const CANONICAL = /^https:\/\/t\.me\/\+[A-Za-z0-9_-]{1,128}$/;

interface InviteLinkUrl {
  /** https://t.me/+HASH, followed by "..." if the rest of the hash is missing. */
  readonly url: string;
  /** Whether the rest of the hash is missing, as Telegram shows links of other administrators. */
  readonly isShortened: boolean;
}

/** Reads any spelling of an invite link's address, including shortened addresses; null for any other text. */
export function readInviteLinkUrl(text: string): InviteLinkUrl | null {
  if (CANONICAL.test(text)) return { url: text, isShortened: false };
  if (text.length > MAX_LENGTH) return null;
  const { hash, shortened } = (WEB_ADDRESS.exec(text) ?? APP_ADDRESS.exec(text))?.groups ?? {};
  if (hash === undefined) return null;
  const isShortened = shortened !== undefined;
  return { url: `https://t.me/+${hash}${isShortened ? "..." : ""}`, isShortened };
}

/** Reads an invite link's whole address in Telegram's spelling; null for any other text. */
export function parseInviteLinkUrl(text: string): string | null {
  const read = readInviteLinkUrl(text);
  return read === null || read.isShortened ? null : read.url;
}

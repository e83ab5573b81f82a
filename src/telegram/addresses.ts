/** Characters; longer ones are no link of Telegram's. */
const MAX_URL = 2048;

/** Whether a text is an address that a browser opens, and a database holds. */
export const isWebAddress = (text: string): boolean =>
  text.length <= MAX_URL &&
  !text.includes("\0") &&
  URL.canParse(text) &&
  /^https?:$/.test(new URL(text).protocol);

const INVITE_LINK = /^https?:\/\/(?:t|telegram)\.(?:me|dog)\/(?:\+|joinchat\/)([\w-]{1,128})\/?$/i;

/** An invite link's address as Telegram's own answers have it, however a person wrote it; null where it is none. */
export function inviteLinkAddress(text: string): string | null {
  const hash = INVITE_LINK.exec(text.trim())?.[1];
  return hash === undefined ? null : `https://t.me/+${hash}`;
}

/** Whether two addresses are one invite link's, however each is written. */
export const isSameLink = (one: string, other: string): boolean =>
  (inviteLinkAddress(one) ?? one) === (inviteLinkAddress(other) ?? other);

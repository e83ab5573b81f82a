import { parseInviteLinkUrl } from "../parsers/inviteLinkUrl.js";

/** The most characters of an address. Telegram's links are shorter. */
const MAX_URL = 2048;

/** Whether a text is an http(s) address that a database can store. */
export const isWebAddress = (text: string): boolean =>
  text.length <= MAX_URL &&
  !text.includes("\0") &&
  URL.canParse(text) &&
  /^https?:$/.test(new URL(text).protocol);

/** Whether two addresses name the same invite link in any spelling. */
export const isSameLink = (one: string, other: string): boolean =>
  (parseInviteLinkUrl(one) ?? one) === (parseInviteLinkUrl(other) ?? other);

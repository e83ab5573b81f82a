import { parseInviteLinkUrl } from "../parsers/inviteLinkUrl.js";

/** Characters; longer ones are no link of Telegram's. */
const MAX_URL = 2048;

/** Whether a text is an address that a browser opens, and a database holds. */
export const isWebAddress = (text: string): boolean =>
  text.length <= MAX_URL &&
  !text.includes("\0") &&
  URL.canParse(text) &&
  /^https?:$/.test(new URL(text).protocol);

/** Whether two addresses are one invite link's, however each is written. */
export const isSameLink = (one: string, other: string): boolean =>
  (parseInviteLinkUrl(one) ?? one) === (parseInviteLinkUrl(other) ?? other);

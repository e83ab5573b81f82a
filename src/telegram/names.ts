/**
 * Cleans a link's name as Telegram does, except for its length: TDLib's clean_input_string and clean_name
 * (td/telegram/misc.cpp). Names are cleaned before they are sent, so that our stored name equals Telegram's.
 */
export function cleanLinkName(text: string): string {
  const input = text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced here
    .replace(/[\0-\t\v\f\x0e-\x20]/g, " ")
    .replace(/\r|[\u2028-\u202e]|\u0333|\u033f|\u030a/g, "")
    .replace(/[\u200e\u200f]+(?=[\u200e\u200f])/g, (marks) => "\u200c".repeat(marks.length))
    .replace(/[\u1680\u180e\u2000-\u200a\u202f\u205f\u2800\u3000\ufffc\u{e0000}-\u{e007f}]/gu, " ");
  if (/^[ \n\u200b-\u200f\ufeff\u00a0]*$/.test(input)) return "";
  return input.replace(/[ \n\u00a0]+/g, " ").replace(/^ | $/g, "");
}

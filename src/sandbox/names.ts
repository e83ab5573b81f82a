const MAX_NAME_LENGTH = 32;

/**
 * Cleans a link's name as TDLib's `clean_input_string` and `clean_name` do, and truncates the name to 32 code points.
 * The name in an answer may therefore differ from the name that was sent.
 */
export function cleanName(name: string): string {
  const input = name
    .replaceAll("\r", "")
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced here
    .replace(/[\u0000-\u0009\u000b-\u0020]/g, " ")
    .replace(/[\u2028-\u202e]|\u0333|\u033f|\u030a/g, "");
  const stripped = stripEmptyCharacters(input);
  return trim(stripped.replace(/[ \n\u00a0]+/g, " "));
}

function stripEmptyCharacters(text: string): string {
  const spaced = text.replace(
    /[\u1680\u180e\u2000-\u200a\u202e\u202f\u205f\u2800\u3000\ufffc\u{e0000}-\u{e007f}]/gu,
    " ",
  );
  const cut = trim([...trim(spaced)].slice(0, MAX_NAME_LENGTH).join(""));
  return /^[ \n\u200b-\u200f\u202e\ufeff\u00a0]*$/.test(cut) ? "" : cut;
}

/** JavaScript's own trim removes more than TDLib's, for example no-break spaces. */
function trim(text: string): string {
  return text.replace(/^[ \n]+|[ \n]+$/g, "");
}

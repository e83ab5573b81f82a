import type { Problems } from "./errors.js";

/** A text that PostgreSQL can hold: well-formed Unicode without NUL. */
export const isStorable = (text: string): boolean => text.isWellFormed() && !text.includes("\0");

/** How many code points a text has; an emoji outside the basic plane counts once, as Telegram counts it. */
export const codePoints = (text: string): number => [...text].length;

/**
 * The key by which names are compared, searched and ordered: NFKC and lower case in every script. The final sigma is
 * the same letter as the other, whatever stood around it before a part was cut out.
 */
export function foldName(name: string): string {
  return name.normalize("NFKC").toLowerCase().replaceAll("ς", "σ").normalize("NFKC");
}

/** Something that can be seen: the braille blank and the Hangul fillers are letters to Unicode. */
const VISIBLE = /[^\p{White_Space}\p{Default_Ignorable_Code_Point}\p{C}\u2800]/u;
const BIDI_CONTROL = /[\u202a-\u202e\u2066-\u2069]/;

/**
 * A name that people see, trimmed and with runs of white space made one space.
 * @returns the tidied name; what is wrong with it is said in `problems`.
 */
export function tidyName(name: string, maxCodePoints: number, field: string, problems: Problems): string {
  const tidied = name.replace(/\s+/gu, " ").trim();
  if (!isStorable(tidied) || /\p{Cc}/u.test(tidied)) {
    problems.add(field, "Must not contain control characters or broken Unicode.");
  } else if (!VISIBLE.test(tidied)) {
    problems.add(field, "Must not be empty.");
  } else if (BIDI_CONTROL.test(tidied)) {
    problems.add(field, "Must not contain marks that turn the text around.");
  } else if (codePoints(tidied) > maxCodePoints) {
    problems.add(field, `Must have at most ${maxCodePoints} characters.`);
  }
  return tidied;
}

import type { Problems } from "./errors.js";

/** A text that PostgreSQL can hold: well-formed Unicode without NUL. */
export const isStorable = (text: string): boolean => text.isWellFormed() && !text.includes("\0");

/** The number of code points, by which Telegram counts as well: an emoji outside the basic plane counts once. */
export const codePoints = (text: string): number => [...text].length;

/**
 * The key by which names are compared, searched and ordered: NFKC and lower case. A final sigma counts as a sigma, so that a
 * search for part of a word finds it.
 */
export function foldName(name: string): string {
  return name.normalize("NFKC").toLowerCase().replaceAll("ς", "σ").normalize("NFKC");
}

/** A character that can be seen. The braille blank (U+2800) cannot, though Unicode counts it as a symbol. */
const VISIBLE = /[^\p{White_Space}\p{Default_Ignorable_Code_Point}\p{C}\u2800]/u;
const BIDI_CONTROL = /[\u202a-\u202e\u2066-\u2069]/;

/**
 * Trims a name that people see, and replaces runs of white space by one space.
 * @returns the tidied name; its errors are added to `problems`.
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

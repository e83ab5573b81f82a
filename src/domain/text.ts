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

/**
 * A name that people see, trimmed and with runs of white space made one space.
 * @returns the tidied name; what is wrong with it is said in `problems`.
 */
export function tidyName(name: string, maxCodePoints: number, field: string, problems: Problems): string {
  const tidied = name.replace(/\s+/gu, " ").trim();
  if (!isStorable(tidied) || /\p{Cc}/u.test(tidied)) {
    problems.add(field, "Must not contain control characters or broken Unicode.");
  } else if (tidied === "") {
    problems.add(field, "Must not be empty.");
  } else if (codePoints(tidied) > maxCodePoints) {
    problems.add(field, `Must have at most ${maxCodePoints} characters.`);
  }
  return tidied;
}

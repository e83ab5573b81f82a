import { refuse } from "./unreadable.js";

// The only parser of amounts: a decimal with at most two fraction digits. The notation of people and spreadsheets
// (1 500,50) is first converted to this form.

const MAX_CENTS = 99_999_999_999_999n;
const PLAIN = /^(-?)(\d{1,20})(?:\.(\d{1,2}))?$/;

/** Thousands with one separator: a space of any width, an apostrophe, a comma or a point. */
const WITH_THOUSANDS = /^(-?)([1-9]\d{0,2}(?:([ \u00a0\u2009\u202f'’,.])\d{3})(?:\3\d{3})*)(?:([.,])(\d+))?$/;
const WITHOUT_THOUSANDS = /^(-?\d+)(?:[.,](\d+))?$/;

/** Removes zeros after the second fraction digit. */
const withFraction = (whole: string, fraction = ""): string =>
  fraction === "" ? whole : `${whole}.${fraction.replace(/^(\d\d)0+$/, "$1")}`;

/** Converts an amount as people write it to the form of PLAIN. Any other text stays unchanged. */
function toPlain(text: string): string {
  const [, sign = "", whole = "", separator = "", mark, fraction] = WITH_THOUSANDS.exec(text) ?? [];
  if (whole !== "" && mark !== separator) {
    if (mark === undefined && /^\d+[.,]\d+$/.test(whole)) {
      const digits = whole.replace(separator, "");
      return refuse(
        `must be written as ${sign}${digits} or ${sign}${whole.replace(separator, ".").slice(0, -1)}: ${text} could have thousands or a fraction.`,
      );
    }
    return withFraction(sign + whole.replaceAll(separator, ""), fraction);
  }
  const [, plainWhole, plainFraction] = WITHOUT_THOUSANDS.exec(text) ?? [];
  return plainWhole === undefined ? text : withFraction(plainWhole, plainFraction);
}

/** Expands the exponent of a number in JSON or in a GraphQL literal if the result is exact. */
function withoutExponent(text: string): string {
  if (!/e/i.test(text)) return text;
  const plain = String(Number(text));
  return /e/i.test(plain)
    ? refuse("must be at most 999999999999.99, with at most two fraction digits.")
    : plain;
}

function parsePlain(text: string): string {
  const match = PLAIN.exec(text);
  if (!match) return refuse("must be an amount with at most two fraction digits, such as 1500.50.");
  const [, sign = "", whole = "0", fraction = ""] = match;
  const cents = BigInt(whole) * 100n + BigInt(fraction.padEnd(2, "0"));
  if (cents > MAX_CENTS) return refuse("must be at most 999999999999.99.");
  return `${cents === 0n ? "" : sign}${cents / 100n}.${String(cents % 100n).padStart(2, "0")}`;
}

/** Reads an exact amount from the written digits of a number. @throws UnreadableValueError */
export const parseWrittenAmount = (digits: string): string => parsePlain(withoutExponent(digits));

/**
 * Reads an exact amount from a number or a string such as 1500.50.
 * @returns the amount with exactly two fraction digits.
 * @throws UnreadableValueError
 */
export function parseAmount(input: unknown): string {
  if (typeof input === "number") return parseWrittenAmount(String(input));
  return parsePlain(typeof input === "string" ? input : "");
}

/**
 * Reads an amount as people and spreadsheets write it: 1500.50, 1500,50, 1 500,50, 1.500,50, 1,500.50 or 1'500.50.
 * 1,500 and 1.500 are refused, because they could mean thousands or a fraction.
 * @throws UnreadableValueError
 */
export const parseWrittenByHand = (text: string): string => parsePlain(toPlain(text));

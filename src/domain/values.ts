import { MAX_TELEGRAM_ID } from "../telegram/ids.js";

// What texts and numbers from outside mean, whichever door they came through. Each function takes what JSON gave, or
// the digits as they were written, and throws where that is no such value.

const MAX_AMOUNT_CENTS = 99_999_999_999_999n;
const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$/i;
/** PostgreSQL has no year 0, RFC 3339 none after 9999. */
const MIN_INSTANT = Date.parse("0001-01-01T00:00:00.000Z");
const MAX_INSTANT = Date.parse("9999-12-31T23:59:59.999Z");

/** No such value. The message says what there must be, and goes on from the value's name: "must be …". */
export class UnreadableValueError extends Error {
  override readonly name = "UnreadableValueError";
}

const refuse = (message: string): never => {
  throw new UnreadableValueError(message);
};

/** Reads a Telegram id: an integer, or its decimal string. @throws UnreadableValueError */
export function readTelegramId(input: unknown): number {
  const text = typeof input === "number" ? String(input) : input;
  if (typeof text !== "string" || !/^-?\d{1,20}$/.test(text)) {
    return refuse("must be an integer or its decimal string.");
  }
  const value = Number(text);
  if (Math.abs(value) > MAX_TELEGRAM_ID) return refuse("must have at most 52 significant bits.");
  return value === 0 ? 0 : value;
}

/** A number as JSON or a literal writes it: an exponent is taken where what it means is exact. */
function withoutExponent(text: string): string {
  if (!/e/i.test(text)) return text;
  const plain = String(Number(text));
  return /e/i.test(plain)
    ? refuse("must be at most 999999999999.99, with at most two fraction digits.")
    : plain;
}

/**
 * Reads an exact amount from its digits.
 * @returns the amount with exactly two fraction digits.
 * @throws UnreadableValueError
 */
function readDigits(text: string): string {
  const match = /^(-?)(\d{1,20})(?:\.(\d{1,2}))?$/.exec(text);
  if (!match) return refuse("must be an amount of at most two fraction digits, such as 1500.50.");
  const [, sign = "", whole = "0", fraction = ""] = match;
  const cents = BigInt(whole) * 100n + BigInt(fraction.padEnd(2, "0"));
  if (cents > MAX_AMOUNT_CENTS) return refuse("must be at most 999999999999.99.");
  return `${cents === 0n ? "" : sign}${cents / 100n}.${String(cents % 100n).padStart(2, "0")}`;
}

/** As readDigits, of a number's digits as they were written. */
export const readWrittenAmount = (digits: string): string => readDigits(withoutExponent(digits));

/** As readDigits, of a number or a string. */
export function readAmount(input: unknown): string {
  if (typeof input === "number") return readWrittenAmount(String(input));
  return readDigits(typeof input === "string" ? input : "");
}

/** Reads an RFC 3339 instant that exists. @throws UnreadableValueError */
export function readInstant(input: unknown): Date {
  const match = typeof input === "string" ? RFC_3339.exec(input) : null;
  if (!match) return refuse("must be an RFC 3339 instant with an offset, such as 2026-11-21T18:58:00Z.");
  const [text, year, month, day, hour, minute, second, , offset] = match;
  const [offsetHours, offsetMinutes] = /z/i.test(offset ?? "")
    ? [0, 0]
    : (offset ?? "").slice(1).split(":").map(Number);
  // Date.parse takes 30 February for 2 March, and 24:00 for the next day.
  const days = new Date(Date.UTC(2000, Number(month), 0)).getUTCDate();
  const leap = Number(year) % 4 === 0 && (Number(year) % 100 !== 0 || Number(year) % 400 === 0);
  const lastDay = month === "02" && !leap ? 28 : days;
  const exists =
    Number(month) >= 1 &&
    Number(month) <= 12 &&
    Number(day) >= 1 &&
    Number(day) <= lastDay &&
    Number(hour) < 24 &&
    Number(minute) < 60 &&
    Number(second) < 60 &&
    (offsetHours ?? 0) < 24 &&
    (offsetMinutes ?? 0) < 60;
  const instant = exists ? Date.parse(text.toUpperCase()) : Number.NaN;
  if (Number.isNaN(instant) || instant < MIN_INSTANT || instant > MAX_INSTANT) {
    return refuse("must be an instant that exists, in the years 0001 to 9999 of UTC.");
  }
  return new Date(instant);
}

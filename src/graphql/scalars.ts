import { GraphQLError, Kind, type ValueNode } from "graphql";
import { MAX_TELEGRAM_ID } from "../telegram/ids.js";

// Each parse function takes what JSON gave, or a literal's own text, and throws for what the scalar does not hold.
// A literal's digits are read as they stand, never through a rounded number.

const MAX_AMOUNT_CENTS = 99_999_999_999_999n;
const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$/i;
/** PostgreSQL has no year 0, RFC 3339 none after 9999. */
const MIN_INSTANT = Date.parse("0001-01-01T00:00:00.000Z");
const MAX_INSTANT = Date.parse("9999-12-31T23:59:59.999Z");

const refuse = (message: string): never => {
  throw new GraphQLError(message, { extensions: { code: "BAD_USER_INPUT" } });
};

/** The text of a string or number literal. */
function literalText(node: ValueNode, name: string): string | { number: string } {
  if (node.kind === Kind.STRING) return node.value;
  if (node.kind === Kind.INT || node.kind === Kind.FLOAT) return { number: node.value };
  return refuse(`${name} cannot be written as this kind of value.`);
}

export function parseTelegramId(input: unknown): number {
  const text = typeof input === "number" ? String(input) : input;
  if (typeof text !== "string" || !/^-?\d{1,20}$/.test(text)) {
    return refuse("TelegramID must be an integer or its decimal string.");
  }
  const value = Number(text);
  if (Math.abs(value) > MAX_TELEGRAM_ID) return refuse("TelegramID must have at most 52 significant bits.");
  return value === 0 ? 0 : value;
}

export function parseTelegramIdLiteral(node: ValueNode): number {
  const text = literalText(node, "TelegramID");
  return parseTelegramId(typeof text === "string" ? text : text.number);
}

/** @returns the amount with exactly two fraction digits. */
function parseDecimal(input: unknown): string {
  const match = typeof input === "string" ? /^(-?)(\d{1,20})(?:\.(\d{1,2}))?$/.exec(input) : null;
  if (!match)
    return refuse("Decimal must be a number or a string of at most two fraction digits, such as 1500.50.");
  const [, sign = "", whole = "0", fraction = ""] = match;
  const cents = BigInt(whole) * 100n + BigInt(fraction.padEnd(2, "0"));
  if (cents > MAX_AMOUNT_CENTS) return refuse("Decimal must be at most 999999999999.99.");
  return `${cents === 0n ? "" : sign}${cents / 100n}.${String(cents % 100n).padStart(2, "0")}`;
}

/** A number as JSON or a literal writes it: an exponent is taken where what it means is exact. */
function numberText(text: string): string {
  if (!/e/i.test(text)) return text;
  const plain = String(Number(text));
  return /e/i.test(plain)
    ? refuse("Decimal must be at most 999999999999.99, with at most two fraction digits.")
    : plain;
}

export function parseDecimalValue(input: unknown): string {
  return parseDecimal(typeof input === "number" ? numberText(String(input)) : input);
}

export function parseDecimalLiteral(node: ValueNode): string {
  const text = literalText(node, "Decimal");
  return parseDecimal(typeof text === "string" ? text : numberText(text.number));
}

export function parseDateTime(input: unknown): Date {
  const match = typeof input === "string" ? RFC_3339.exec(input) : null;
  if (!match)
    return refuse("DateTime must be an RFC 3339 instant with an offset, such as 2026-11-21T18:58:00Z.");
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
    return refuse("DateTime must be an instant that exists, in the years 0001 to 9999 of UTC.");
  }
  return new Date(instant);
}

export function parseDateTimeLiteral(node: ValueNode): Date {
  return parseDateTime(node.kind === Kind.STRING ? node.value : undefined);
}

export function parseUrl(input: unknown): string {
  if (typeof input !== "string" || !URL.canParse(input)) return refuse("URL must be an absolute address.");
  return input;
}

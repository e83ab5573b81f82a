import { refuse } from "./unreadable.js";

// The only parser of instants: ISO 8601 and its variants by PostgreSQL, programs and spreadsheets. Each caller chooses
// the forms that are acceptable in its place.

export interface InstantGrammar {
  /** Also accepts whole seconds since 1970, as on the command line. */
  readonly unixSeconds?: boolean;
  /** Also accepts 15.11.2026 and 15.11.2026 12:30, with the day before the month. */
  readonly dayFirst?: boolean;
}

const ISO_8601 =
  /^(\d{4})-(\d\d)-(\d\d)(?:([T ])(\d\d):(\d\d)(?::(\d\d)(?:([.,])(\d+))?)?(?:( ?)(Z|([+-])(\d\d)(?::?(\d\d)(?::?(\d\d))?)?))?)?$/i;
const DAY_FIRST = /^(\d{1,2})\.(\d{1,2})\.(\d{4})(?:,? (\d{1,2})(:.*))?$/;
const WITH_SLASHES = /^\d{1,4}\/\d{1,2}\/\d{1,4}\b/;
const UNIX_SECONDS = /^-?\d{1,15}$/;

const MAX_OFFSET_HOURS = 23;
/** PostgreSQL has no year 0; RFC 3339 has no year after 9999. */
const MIN_INSTANT = Date.parse("0001-01-01T00:00:00.000Z");
const MAX_INSTANT = Date.parse("9999-12-31T23:59:59.999Z");

const within = (milliseconds: number): Date | null =>
  milliseconds >= MIN_INSTANT && milliseconds <= MAX_INSTANT ? new Date(milliseconds) : null;

/**
 * Converts a match of ISO_8601. Without an offset the time is in UTC, without a time it is midnight.
 * @returns null for a day or time that does not exist.
 */
function instantOf(match: RegExpExecArray): Date | null {
  const number = (group: number): number => Number(match[group] ?? 0);
  const [month, day, hour, minute, second] = [number(2), number(3), number(5), number(6), number(7)];
  const [offsetHours, offsetMinutes, offsetSeconds] = [number(13), number(14), number(15)];
  // Digits beyond milliseconds are dropped.
  const milliseconds = Number((match[9] ?? "").slice(0, 3).padEnd(3, "0"));
  // Date.UTC would read the year 70 as 1970.
  const date = new Date(0);
  date.setUTCFullYear(number(1), month - 1, day);
  // A Date reads 30 February as 2 March.
  const exists =
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    hour < 24 &&
    Math.max(minute, second, offsetMinutes, offsetSeconds) < 60 &&
    offsetHours <= MAX_OFFSET_HOURS;
  const local = date.setUTCHours(hour, minute, second, milliseconds);
  const offset = ((offsetHours * 60 + offsetMinutes) * 60 + offsetSeconds) * 1000;
  return exists ? within(local + (match[12] === "-" ? offset : -offset)) : null;
}

const existing = (instant: Date | null): Date =>
  instant ?? refuse("names a day or time that does not exist, or is not in the years 0001 to 9999.");

/** Converts 15.11.2026 to ISO 8601. */
const yearFirst = (text: string): string =>
  text.replace(DAY_FIRST, (_, day: string, month: string, year: string, hour?: string, rest = "") => {
    const date = `${year}-${month.padStart(2, "0")}-${day.padStart(2, "0")}`;
    return hour === undefined ? date : `${date} ${hour.padStart(2, "0")}${rest}`;
  });

/**
 * Reads a date (midnight UTC) or an instant (UTC unless it has an offset).
 * @throws UnreadableValueError for any other text, and for a day or time that does not exist.
 */
export function parseInstant(
  text: string,
  { unixSeconds = false, dayFirst = false }: InstantGrammar = {},
): Date {
  if (unixSeconds && UNIX_SECONDS.test(text)) return existing(within(Number(text) * 1000));
  const match = ISO_8601.exec(dayFirst ? yearFirst(text) : text);
  if (match !== null) return existing(instantOf(match));
  if (WITH_SLASHES.test(text)) {
    return refuse(
      `must have the year first${dayFirst ? " or the day first with dots" : ""}, such as 2026-11-21${dayFirst ? " or 21.11.2026" : ""}: with slashes, day and month could be confused.`,
    );
  }
  const others = `${dayFirst ? ", a date as 21.11.2026" : ""}${unixSeconds ? ", or Unix seconds" : ""}`;
  return refuse(
    `must be an ISO 8601 date or date-time, such as 2026-11-21T18:58:00Z (UTC unless it has an offset)${others}.`,
  );
}

/** Reads an RFC 3339 instant, which has "T", seconds and an offset of hours and minutes. @throws UnreadableValueError */
export function parseRfc3339Instant(input: unknown): Date {
  const match = typeof input === "string" ? ISO_8601.exec(input) : null;
  const [, , , , separator = "", , , second, mark = ".", , space = "", offset = ""] = match ?? [];
  const isRfc3339 =
    /t/i.test(separator) &&
    second !== undefined &&
    mark === "." &&
    space === "" &&
    /^(?:z|.{3}:..)$/i.test(offset);
  if (match === null || !isRfc3339) {
    return refuse("must be an RFC 3339 instant with an offset, such as 2026-11-21T18:58:00Z.");
  }
  return instantOf(match) ?? refuse("must be an instant that exists, in the years 0001 to 9999 of UTC.");
}

import pg from "pg";

const { types } = pg;

/** An RFC 3339 text in UTC with milliseconds, 2026-11-21T18:58:00.000Z. Such texts sort by time. */
export type Instant = string;

const FIRST_FRACTION_DIGIT = 20;

/**
 * Rewrites a timestamptz of PostgreSQL, "2026-11-21 18:58:00.5+00", by character positions, which is cheaper than making
 * a Date and printing it: each page contains many. Only timestamps far from our time have another form.
 */
export function readTimestamp(text: string): Instant {
  if (text.length > 29 || text[10] !== " " || !text.endsWith("+00"))
    return (types.getTypeParser(types.builtins.TIMESTAMPTZ)(text) as Date).toISOString();
  const fraction = text.length === 26 ? text.slice(FIRST_FRACTION_DIGIT, 23) : fractionOf(text);
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${fraction}Z`;
}

const fractionOf = (text: string): string => text.slice(FIRST_FRACTION_DIGIT, -3).slice(0, 3).padEnd(3, "0");

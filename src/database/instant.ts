import pg from "pg";

const { types } = pg;

/** A moment as an RFC 3339 text in UTC with milliseconds, 2026-11-21T18:58:00.000Z: such texts sort by time. */
export type Instant = string;

const FIRST_FRACTION_DIGIT = 20;

/**
 * A timestamptz as PostgreSQL writes it, "2026-11-21 18:58:00.5+00", rewritten by its places: pages are full of them, and
 * a Date would be read and written for nothing. Other than this only what is far from our time is written.
 */
export function readTimestamp(text: string): Instant {
  if (text.length > 29 || text[10] !== " " || !text.endsWith("+00"))
    return (types.getTypeParser(types.builtins.TIMESTAMPTZ)(text) as Date).toISOString();
  const fraction = text.length === 26 ? text.slice(FIRST_FRACTION_DIGIT, 23) : fractionOf(text);
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${fraction}Z`;
}

const fractionOf = (text: string): string => text.slice(FIRST_FRACTION_DIGIT, -3).slice(0, 3).padEnd(3, "0");

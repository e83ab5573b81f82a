const UNIX_SECONDS = /^-?\d{1,15}$/;
const DATE_AND_TIME =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?(?:Z|([+-])(\d\d):?(\d\d))?)?$/i;
/** Telegram's dates are 32 bit. */
const MAX_SECONDS = 2 ** 31 - 1;

/** Milliseconds since 1970, the fraction of a second left out; null for a day or time that does not exist. */
function parseInstant(text: string): number | null {
  const match = DATE_AND_TIME.exec(text);
  if (match === null) {
    throw new RangeError(
      "expire must be an ISO date or date-time, such as 2026-11-21T18:58:00Z (UTC where it names no offset), or Unix seconds",
    );
  }
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1, 7)
    .map((part) => Number(part ?? 0));
  const [offsetHours = 0, offsetMinutes = 0] = match.slice(8).map((part) => Number(part ?? 0));
  // Not Date.UTC, to which the year 70 is 1970.
  const instant = new Date(0);
  instant.setUTCFullYear(year, month - 1, day);
  // What there is none of has run over into another: 30 February is 2 March.
  const exists = instant.getUTCMonth() === month - 1 && instant.getUTCDate() === day;
  if (!exists || hour > 23 || minute > 59 || second > 59 || offsetHours > 23 || offsetMinutes > 59)
    return null;
  const local = instant.setUTCHours(hour, minute, second);
  const offset = (offsetHours * 60 + offsetMinutes) * 60_000;
  return match[7] === "-" ? local + offset : local - offset;
}

function secondsOf(expire: Date | string | number): number {
  if (expire instanceof Date) return expire.getTime() / 1000;
  if (typeof expire === "number") return expire;
  if (UNIX_SECONDS.test(expire)) return Number(expire);
  const instant = parseInstant(expire);
  if (instant === null) throw new RangeError("expire names a day or time that does not exist");
  return instant / 1000;
}

/**
 * When a link shall expire, in Unix seconds, as Telegram takes it.
 * @param expire a Date, Unix seconds, or a text of either: an ISO date, its midnight in UTC, or date-time, in UTC where
 * it has no offset. Fractions of a second are dropped.
 * @throws RangeError for a date that does not exist, or that Telegram would silently take for none.
 */
export function toExpireDate(expire: Date | string | number): number {
  const seconds = Math.floor(secondsOf(expire));
  if (!(seconds > 0 && seconds <= MAX_SECONDS)) {
    throw new RangeError(
      "expire must be after 1970-01-01T00:00:00Z and not after 2038-01-19T03:14:07Z; leave it out for a link without end",
    );
  }
  return seconds;
}

import { parseInstant } from "../parsers/instant.js";
import { UnreadableValueError } from "../parsers/unreadable.js";

/** Telegram's dates are 32 bit. */
const MAX_SECONDS = 2 ** 31 - 1;

/** Reads an argument, and names it in what is wrong with it. @throws RangeError */
export function readingAs<Value>(name: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof UnreadableValueError)) throw error;
    throw new RangeError(`${name} ${error.message.replace(/[.]$/, "")}`);
  }
}

function secondsOf(expire: Date | string | number): number {
  if (typeof expire === "number") return expire;
  const instant =
    expire instanceof Date ? expire : readingAs("expire", () => parseInstant(expire, { unixSeconds: true }));
  return instant.getTime() / 1000;
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

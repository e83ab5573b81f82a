import { parseInstant } from "../parsers/instant.js";
import { UnreadableValueError } from "../parsers/unreadable.js";

/** Telegram's dates have 32 bits. */
const MAX_SECONDS = 2 ** 31 - 1;

/** Reads an argument. @throws RangeError with the argument's name for a value that cannot be read. */
export function readArgument<Value>(name: string, read: () => Value): Value {
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
    expire instanceof Date
      ? expire
      : readArgument("expire", () => parseInstant(expire, { unixSeconds: true }));
  return instant.getTime() / 1000;
}

/**
 * Converts an expiry to Unix seconds for Telegram. Fractions of a second are dropped.
 * @param expire a Date, Unix seconds, an ISO date (midnight UTC) or an ISO date-time (UTC unless it has an offset).
 * @throws RangeError for a date that does not exist or that Telegram would silently ignore.
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

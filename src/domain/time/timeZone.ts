import type { Problems } from "../shared/errors.js";

/** An IANA time zone, as Intl knows it. All times are in milliseconds. */
export interface TimeZone {
  readonly name: string;
  /** What the clocks of the zone are ahead of UTC at an instant. */
  offsetAt(instant: number): number;
}

/** Longer than any name of a time zone. */
const MAX_NAME_LENGTH = 64;
/** The zones that are kept: making one takes as long as hundreds of conversions. */
const MAX_KEPT = 64;
/** Intl also takes offsets such as +02:00, which are no names. */
const NAME = /^[A-Za-z][A-Za-z0-9_+/-]*$/;

const kept = new Map<string, TimeZone>();

/** Like Date.UTC, which reads the years 0 to 99 as 1900 to 1999. */
export function utc(year: number, month: number, day: number, milliseconds = 0): number {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.getTime() + milliseconds;
}

function create(name: string): TimeZone | null {
  if (name.length > MAX_NAME_LENGTH || !NAME.test(name)) return null;
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: name,
      calendar: "gregory",
      numberingSystem: "latn",
      hourCycle: "h23",
      era: "short",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
  const { timeZone } = format.resolvedOptions();
  return {
    // Intl replaces some names by others, such as Asia/Kolkata by Asia/Calcutta. Only the case is taken from it.
    name: timeZone.toLowerCase() === name.toLowerCase() ? timeZone : name,
    offsetAt(instant) {
      const parts = { era: "", year: 0, month: 0, day: 0, hour: 0, minute: 0, second: 0 };
      for (const { type, value } of format.formatToParts(instant)) {
        if (type === "era") parts.era = value;
        else if (type in parts) parts[type as "year"] = Number(value);
      }
      const year = parts.era.startsWith("B") ? 1 - parts.year : parts.year;
      const seconds = (parts.hour * 60 + parts.minute) * 60 + parts.second;
      return utc(year, parts.month, parts.day, seconds * 1000) - Math.floor(instant / 1000) * 1000;
    },
  };
}

/** The time zone of a name, in any case; null for a name that Intl does not know. */
export function findTimeZone(name: string): TimeZone | null {
  const key = name.toLowerCase();
  const found = kept.get(key);
  if (found) {
    // The zone that was used last goes to the end, so that the oldest one is the first.
    kept.delete(key);
    kept.set(key, found);
    return found;
  }
  const zone = create(name);
  if (zone === null) return null;
  kept.set(key, zone);
  const [oldest] = kept.keys();
  if (kept.size > MAX_KEPT && oldest !== undefined) kept.delete(oldest);
  return zone;
}

/** The time zone of a name; null, and a problem at `field`, for a name that Intl does not know. */
export function parseTimeZone(name: string, field: string, problems: Problems): TimeZone | null {
  const zone = findTimeZone(name);
  if (zone === null) problems.add(field, "Must be the IANA name of a time zone, such as Europe/Berlin.");
  return zone;
}

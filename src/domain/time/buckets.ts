import type { Instant } from "../../database/instant.js";
import { Problems } from "../shared/errors.js";
import { instantOf, quarterAt, quarterFrom, startOfQuarter } from "./quarters.js";
import { parseTimeZone, type TimeZone, utc } from "./timeZone.js";

/** HOUR, DAY, WEEK (from Monday) and MONTH of a time zone. */
export type TimeUnit = "HOUR" | "DAY" | "WEEK" | "MONTH";
export type CalendarUnit = Exclude<TimeUnit, "HOUR">;

export const MAX_BUCKETS = 1_000;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const WEEK_MS = 7 * DAY_MS;
/** 5 January 1970 was a Monday. */
const MONDAY = 4 * DAY_MS;
/** Clocks are nowhere further ahead of UTC or behind it. */
const MAX_OFFSET = 16 * HOUR_MS;

// A local time is the milliseconds since 1970 that the clocks of a zone show, as if they were UTC.

const startOfMonth = (local: number, monthsLater: number): number => {
  const date = new Date(local);
  return utc(date.getUTCFullYear(), date.getUTCMonth() + 1 + monthsLater, 1);
};

/** The local time at which a period begins: the period of a local time, or the next one. */
const PERIODS: Record<CalendarUnit, { startOf(local: number): number; next(start: number): number }> = {
  DAY: { startOf: (local) => Math.floor(local / DAY_MS) * DAY_MS, next: (start) => start + DAY_MS },
  WEEK: {
    startOf: (local) => Math.floor((local - MONDAY) / WEEK_MS) * WEEK_MS + MONDAY,
    next: (start) => start + WEEK_MS,
  },
  MONTH: { startOf: (local) => startOfMonth(local, 0), next: (start) => startOfMonth(start, 1) },
};

/** The first instant in (from, to] at which the offset is not what it is at `from`. It must be so at `to`. */
function changeOfOffset(zone: TimeZone, from: number, to: number): number {
  const before = zone.offsetAt(from);
  let [same, other] = [Math.floor(from / 1000), Math.ceil(to / 1000)];
  while (other - same > 1) {
    const middle = Math.floor((same + other) / 2);
    if (zone.offsetAt(middle * 1000) === before) same = middle;
    else other = middle;
  }
  return other * 1000;
}

/** The first instant at which the clocks show a local time or a later one. Clocks that go forward may skip the time itself. */
function firstInstantAt(zone: TimeZone, local: number): number {
  const [earliest, latest] = [local - MAX_OFFSET, local + MAX_OFFSET];
  const [before, after] = [zone.offsetAt(earliest), zone.offsetAt(latest)];
  if (before === after) return local - before;
  const change = changeOfOffset(zone, earliest, latest);
  if (local - before < change) return local - before;
  return Math.max(change, local - after);
}

/** The instants after `from` at which a day, week or month begins, in order and without an end. */
function* calendarBorders(zone: TimeZone, unit: CalendarUnit, from: number): Generator<number> {
  const { startOf, next } = PERIODS[unit];
  // Clocks that went back may have begun the period of `from` before.
  let start = startOf(from + zone.offsetAt(from) - DAY_MS);
  let last = from;
  for (;;) {
    start = next(start);
    const border = firstInstantAt(zone, start);
    // A day that the zone skipped has no instant.
    if (border > last) yield border;
    last = Math.max(last, border);
  }
}

/** The instants after `from` at which an hour begins. Where the clocks go back, an hour begins as well. */
function* hourBorders(zone: TimeZone, from: number): Generator<number> {
  let start = from;
  for (;;) {
    const offset = zone.offsetAt(start);
    const local = start + offset;
    const rest = HOUR_MS - (((local % HOUR_MS) + HOUR_MS) % HOUR_MS);
    const end = start + rest;
    if (zone.offsetAt(end) === offset) {
      start = end;
    } else {
      const change = changeOfOffset(zone, start, end);
      const after = zone.offsetAt(change);
      // Clocks that go forward within an hour shorten the hour.
      const isSameHour = after > offset && change + after < local + rest;
      start = isSameHour ? local + rest - after : change;
    }
    yield start;
  }
}

const bordersAfter = (zone: TimeZone, unit: TimeUnit, from: number): Generator<number> =>
  unit === "HOUR" ? hourBorders(zone, from) : calendarBorders(zone, unit, from);

/** The beginning of the day, week or month in which an instant is, and of the next one; in milliseconds. */
export function periodAround(
  zone: TimeZone,
  unit: CalendarUnit,
  instant: number,
): [from: number, to: number] {
  const { startOf } = PERIODS[unit];
  const from = firstInstantAt(zone, startOf(instant + zone.offsetAt(instant)));
  const to = calendarBorders(zone, unit, instant).next();
  return [from, to.value as number];
}

/** A span that is cut into buckets. */
export interface SeriesArguments {
  readonly from: Date;
  /** Exclusive. */
  readonly to: Date;
  readonly unit: TimeUnit;
  /** The IANA name of a time zone; null for the channel's own. */
  readonly timeZone?: string | null | undefined;
}

export interface Bucket {
  readonly from: Instant;
  /** Exclusive. */
  readonly to: Instant;
}

/** The buckets of a span, without gaps. */
export interface Buckets {
  /** The quarters of an hour at which the buckets begin, and the one at which the last bucket ends. */
  readonly borders: readonly number[];
  readonly buckets: readonly Bucket[];
}

/**
 * Cuts a span into hours, days, weeks or months of a time zone. The span's beginning is taken down and its end up to a full
 * quarter of an hour.
 * @throws ValidationError for an unknown time zone, an empty span, and more than 1,000 buckets.
 */
export function bucketsOf({ from, to, unit }: SeriesArguments, timeZone: string): Buckets {
  const problems = new Problems();
  const zone = parseTimeZone(timeZone, "timeZone", problems);
  if (from >= to) problems.add("from", "Must be before `to`.");
  problems.check();
  if (zone === null) throw new TypeError("An unknown time zone was not added to the problems.");
  const first = startOfQuarter(quarterAt(from.getTime()));
  const end = startOfQuarter(quarterFrom(to.getTime()));
  const borders = [first];
  for (const border of bordersAfter(zone, unit, first)) {
    if (border >= end) break;
    borders.push(border);
    if (borders.length > MAX_BUCKETS) {
      problems.add(
        "from",
        `The span has more than ${MAX_BUCKETS} buckets. Give a shorter span or a larger unit.`,
      );
      problems.check();
    }
  }
  borders.push(end);
  return {
    borders: borders.map(quarterFrom),
    buckets: borders.slice(1).map((next, index) => ({
      from: instantOf(borders[index] as number),
      to: instantOf(next),
    })),
  };
}

const SHORTEST: Record<TimeUnit, number> = { HOUR: HOUR_MS, DAY: DAY_MS, WEEK: WEEK_MS, MONTH: 28 * DAY_MS };

/** About how many buckets a span has, for the cost of reading them: at most one too many for each change of the clocks. */
export const estimatedBuckets = ({ from, to, unit }: SeriesArguments): number =>
  Math.min(MAX_BUCKETS, Math.max(1, Math.ceil((to.getTime() - from.getTime()) / SHORTEST[unit]) + 1));

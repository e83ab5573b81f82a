/** A day of the calendar. Months are counted from 1; a month or day out of range carries over, as in Date.UTC. */
export interface Day {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

/** What the clocks of a time zone show at an instant, as if it were UTC. */
function clockAt(instant: number, timeZone: string): number {
  const parts = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  }).formatToParts(instant);
  const part = (wanted: string) => Number(parts.find(({ type }) => type === wanted)?.value);
  return Date.UTC(part("year"), part("month") - 1, part("day"), part("hour"), part("minute"), part("second"));
}

/** The day of a time zone at an instant. */
export function dayAt(instant: number, timeZone: string): Day {
  const clock = new Date(clockAt(instant, timeZone));
  return { year: clock.getUTCFullYear(), month: clock.getUTCMonth() + 1, day: clock.getUTCDate() };
}

/** The instant at which a day of a time zone begins. */
export function beginningOf({ year, month, day }: Day, timeZone: string): string {
  const midnight = Date.UTC(year, month - 1, day);
  const offset = (instant: number) => clockAt(instant, timeZone) - instant;
  // The offset near midnight UTC may be that of the other side of a change of the clocks.
  const near = midnight - offset(midnight);
  return new Date(midnight - offset(near)).toISOString();
}

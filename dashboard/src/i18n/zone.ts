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

/** The instant at which the clocks of a time zone show a time, which is given as if it were UTC. */
function instantAt(clock: number, timeZone: string): string {
  const offset = (instant: number) => clockAt(instant, timeZone) - instant;
  // The offset near that time in UTC may be that of the other side of a change of the clocks.
  const near = clock - offset(clock);
  return new Date(clock - offset(near)).toISOString();
}

/** The instant at which a day of a time zone begins. */
export const beginningOf = ({ year, month, day }: Day, timeZone: string): string =>
  instantAt(Date.UTC(year, month - 1, day), timeZone);

/** The value of a datetime-local field by the clocks of a time zone; empty for no instant. */
export const toLocal = (instant: string | null | undefined, timeZone: string): string =>
  instant ? new Date(clockAt(Date.parse(instant), timeZone)).toISOString().slice(0, 16) : "";

/** @param local the value of a datetime-local field; null is returned if it is empty. */
export const fromLocal = (local: string, timeZone: string): string | null =>
  local === "" ? null : instantAt(Date.parse(`${local}Z`), timeZone);

import { localeOf } from "../../i18n/format.js";

export type Unit = "DAY" | "WEEK" | "MONTH";

const DAY: Intl.DateTimeFormatOptions = { day: "numeric", month: "short" };
const OPTIONS: Record<Unit, { readonly short: Intl.DateTimeFormatOptions; readonly long: object }> = {
  DAY: { short: DAY, long: { ...DAY, year: "numeric" } },
  WEEK: { short: DAY, long: { ...DAY, year: "numeric" } },
  MONTH: { short: { month: "short" }, long: { month: "long", year: "numeric" } },
};

/** The names of buckets of time by their beginnings, in the time zone by which they were cut. */
export function bucketNames(language: string, timeZone: string, unit: Unit) {
  const formatter = (options: Intl.DateTimeFormatOptions) => {
    const format = new Intl.DateTimeFormat(localeOf(language), { ...options, timeZone });
    return (from: string) => format.format(new Date(from));
  };
  return { short: formatter(OPTIONS[unit].short), long: formatter(OPTIONS[unit].long) };
}

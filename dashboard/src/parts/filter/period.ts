import { beginningOf, dayAt } from "../../i18n/zone.js";

/** When links were created, in days of the channel's time zone. */
export const PERIODS = ["7d", "30d", "90d", "this-month", "last-month"] as const;
export type Period = (typeof PERIODS)[number];

const DAYS = { "7d": 7, "30d": 30, "90d": 90 } as const;

/** The conditions of a filter. They stay the same all day, so that a query is not asked again. */
export function createdIn(period: Period, timeZone: string): { createdFrom: string; createdTo?: string } {
  const today = dayAt(Date.now(), timeZone);
  if (period !== "this-month" && period !== "last-month")
    return { createdFrom: beginningOf({ ...today, day: today.day - DAYS[period] + 1 }, timeZone) };
  const thisMonth = beginningOf({ ...today, day: 1 }, timeZone);
  if (period === "this-month") return { createdFrom: thisMonth };
  const lastMonth = beginningOf({ ...today, month: today.month - 1, day: 1 }, timeZone);
  return { createdFrom: lastMonth, createdTo: thisMonth };
}

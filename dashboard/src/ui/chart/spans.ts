import { beginningOf, dayAt } from "../../i18n/zone.js";
import type { Unit } from "./bucketNames.js";

/** How far back a chart goes, in days. */
export const SPANS = [7, 30, 90, 365] as const;
export type Span = (typeof SPANS)[number];

/** The arguments of a series. They stay the same all day, so that a query is not asked again. */
export function timeOf(span: Span, timeZone: string): { from: string; to: string; unit: Unit } {
  const today = dayAt(Date.now(), timeZone);
  const days = (count: number) => beginningOf({ ...today, day: today.day + count }, timeZone);
  return { from: days(1 - span), to: days(1), unit: span > 100 ? "WEEK" : "DAY" };
}

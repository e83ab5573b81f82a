import type { TimeUnit } from "../../../src/domain/time/buckets.js";

// Local time, computed without any code of the server.

export const QUARTER = 900_000;
const DAY = 86_400_000;

const formats = new Map<string, Intl.DateTimeFormat>();

/** What the clocks show, read from a text such as 2026-11-26 21:50:00, as if it were UTC. */
export function clocks(zone: string, at: number): number {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "medium" });
    formats.set(zone, format);
  }
  return Date.parse(`${format.format(at).replace(" ", "T")}Z`);
}

/** A text that is the same for all times of one hour, day, week or month on the clocks. */
export function labelOf(unit: TimeUnit, local: number): string {
  const text = new Date(local).toISOString();
  if (unit === "HOUR") return text.slice(0, 13);
  if (unit === "DAY") return text.slice(0, 10);
  if (unit === "MONTH") return text.slice(0, 7);
  const weekday = (new Date(local).getUTCDay() + 6) % 7;
  return new Date(local - weekday * DAY).toISOString().slice(0, 10);
}

/** Walks through the span by quarters of an hour. A bucket begins where the label changes, or an hour comes again. */
export function modelBorders(zone: string, unit: TimeUnit, from: number, to: number): number[] {
  const borders = [from];
  for (let at = from + QUARTER; at < to; at += QUARTER) {
    const [before, now] = [clocks(zone, at - QUARTER), clocks(zone, at)];
    const isAgain = unit === "HOUR" && now < before + QUARTER;
    if (labelOf(unit, before) < labelOf(unit, now) || isAgain) borders.push(at);
  }
  return [...borders, to];
}

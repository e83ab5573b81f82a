import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bucketsOf, MAX_BUCKETS, type TimeUnit } from "../../../src/domain/time/buckets.js";
import { clocks, modelBorders, QUARTER } from "./model.js";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Zones with summer time in both hemispheres, half hours, 45 minutes, a summer time of 30 minutes, and a skipped day. */
const ZONES = [
  "UTC",
  "Europe/Berlin",
  "America/New_York",
  "America/St_Johns",
  "America/Havana",
  "America/Santiago",
  "America/Asuncion",
  "Africa/Cairo",
  "Africa/Casablanca",
  "Asia/Beirut",
  "Asia/Gaza",
  "Asia/Kolkata",
  "Asia/Kathmandu",
  "Asia/Pyongyang",
  "Australia/Adelaide",
  "Australia/Lord_Howe",
  "Pacific/Apia",
  "Pacific/Chatham",
  "Pacific/Kiritimati",
  "Atlantic/Azores",
];

const bordersOf = ({ buckets }: ReturnType<typeof bucketsOf>): number[] => [
  ...buckets.map(({ from }) => Date.parse(from)),
  Date.parse(buckets.at(-1)?.to ?? ""),
];

const LENGTHS: Record<TimeUnit, number> = { HOUR: 4 * DAY, DAY: 40 * DAY, WEEK: 70 * DAY, MONTH: 200 * DAY };

describe("buckets of time", () => {
  it("the buckets of any span in any time zone are those that a walk through the span finds", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...ZONES),
        fc.constantFrom<TimeUnit>("HOUR", "DAY", "WEEK", "MONTH"),
        // Since 2012 all offsets are multiples of a quarter of an hour, and clocks change at full quarters.
        fc.integer({ min: Date.parse("2012-01-01T00:00:00Z"), max: Date.parse("2035-01-01T00:00:00Z") }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (zone, unit, start, part) => {
          const end = start + 1 + Math.floor(part * LENGTHS[unit]);
          const found = bucketsOf({ from: new Date(start), to: new Date(end), unit }, zone);
          const from = Math.floor(start / QUARTER) * QUARTER;
          const to = Math.ceil(end / QUARTER) * QUARTER;
          expect(bordersOf(found)).toEqual(modelBorders(zone, unit, from, to));
          expect(found.borders).toEqual(bordersOf(found).map((border) => border / QUARTER));
        },
      ),
      { numRuns: 300 },
    );
  });

  it("around every change of the clocks of four years the hours and days are those that a walk finds", () => {
    for (const zone of ZONES) {
      for (let at = Date.parse("2023-01-01T00:00:00Z"); at < Date.parse("2027-01-01T00:00:00Z"); at += DAY) {
        if (clocks(zone, at + DAY) - clocks(zone, at) === DAY) continue;
        const [from, to] = [at - 2 * DAY, at + 3 * DAY];
        for (const unit of ["HOUR", "DAY", "WEEK"] as const) {
          const found = bucketsOf({ from: new Date(from), to: new Date(to), unit }, zone);
          expect(bordersOf(found), `${zone} ${new Date(at).toISOString()} ${unit}`).toEqual(
            modelBorders(zone, unit, from, to),
          );
        }
      }
    }
  });

  const cut = (from: string, to: string, unit: TimeUnit, zone: string) =>
    bordersOf(bucketsOf({ from: new Date(from), to: new Date(to), unit }, zone)).map((at) =>
      new Date(at).toISOString().slice(0, 16),
    );

  it("a day that Samoa skipped has no bucket", () => {
    expect(cut("2011-12-29T10:00Z", "2012-01-01T10:00Z", "DAY", "Pacific/Apia")).toEqual([
      "2011-12-29T10:00",
      "2011-12-30T10:00",
      "2011-12-31T10:00",
      "2012-01-01T10:00",
    ]);
  });

  it("the hour that comes twice is two buckets, and on Lord Howe the second one is half an hour", () => {
    expect(cut("2026-10-25T00:00Z", "2026-10-25T03:00Z", "HOUR", "Europe/Berlin")).toEqual([
      "2026-10-25T00:00",
      "2026-10-25T01:00",
      "2026-10-25T02:00",
      "2026-10-25T03:00",
    ]);
    expect(cut("2026-04-04T14:00Z", "2026-04-04T16:30Z", "HOUR", "Australia/Lord_Howe")).toEqual([
      "2026-04-04T14:00",
      "2026-04-04T15:00",
      "2026-04-04T15:30",
      "2026-04-04T16:30",
    ]);
  });

  it("days have 23 and 25 hours at the changes of the clocks, weeks begin on Monday", () => {
    expect(cut("2026-03-28T23:00Z", "2026-03-30T22:00Z", "DAY", "Europe/Berlin")).toEqual([
      "2026-03-28T23:00",
      "2026-03-29T22:00",
      "2026-03-30T22:00",
    ]);
    expect(cut("2026-10-24T22:00Z", "2026-10-26T23:00Z", "DAY", "Europe/Berlin")).toEqual([
      "2026-10-24T22:00",
      "2026-10-25T23:00",
      "2026-10-26T23:00",
    ]);
    expect(cut("2026-11-20T00:00Z", "2026-12-01T00:00Z", "WEEK", "Asia/Kathmandu")).toEqual([
      "2026-11-20T00:00",
      "2026-11-22T18:15",
      "2026-11-29T18:15",
      "2026-12-01T00:00",
    ]);
  });

  it("1,000 buckets are accepted; more, an empty span and an unknown time zone are refused", () => {
    const from = new Date("2026-01-01T00:00:00Z");
    const hours = (count: number) => new Date(from.getTime() + count * HOUR);
    const ask = (to: Date, zone = "UTC") => bucketsOf({ from, to, unit: "HOUR" }, zone);
    expect(ask(hours(MAX_BUCKETS)).buckets).toHaveLength(MAX_BUCKETS);
    expect(() => ask(hours(MAX_BUCKETS + 1))).toThrow("more than 1000 buckets");
    expect(() => ask(from)).toThrow("from: Must be before");
    expect(() => bucketsOf({ from: hours(1), to: from, unit: "DAY" }, "UTC")).toThrow("from: Must be before");
    for (const zone of ["", "Mars/Olympus", "+02:00", "UTC\0", "Europe/Berlin ", "x".repeat(1000)])
      expect(() => ask(hours(1), zone), zone).toThrow("timeZone: Must be the IANA name");
    expect(ask(hours(1), "europe/berlin").buckets).toHaveLength(1);
  });

  it("the whole time that an instant can name is cut without an error", () => {
    for (const zone of ZONES) {
      const span = { from: new Date("0001-01-01T00:00:00Z"), to: new Date("0001-03-01T00:00:00Z") };
      expect(bucketsOf({ ...span, unit: "DAY" }, zone).buckets.length).toBeGreaterThan(58);
      const last = { from: new Date("9999-12-01T00:00:00Z"), to: new Date("9999-12-31T23:59:59Z") };
      expect(bucketsOf({ ...last, unit: "MONTH" }, zone).buckets.length).toBeLessThan(4);
    }
  });
});

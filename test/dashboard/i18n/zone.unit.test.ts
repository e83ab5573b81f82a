import fc from "fast-check";
import { expect, test } from "vitest";
import { beginningOf, dayAt, fromLocal, toLocal } from "../../../dashboard/src/i18n/zone.js";

test.each([
  ["2026-03-29", "Europe/Berlin", "2026-03-28T23:00:00.000Z"],
  ["2026-03-30", "Europe/Berlin", "2026-03-29T22:00:00.000Z"],
  ["2026-11-01", "America/New_York", "2026-11-01T04:00:00.000Z"],
  ["2026-11-02", "America/New_York", "2026-11-02T05:00:00.000Z"],
  ["2026-07-01", "Asia/Kathmandu", "2026-06-30T18:15:00.000Z"],
  ["2026-01-01", "Pacific/Kiritimati", "2025-12-31T10:00:00.000Z"],
])("the day %s in %s begins at %s", (date, zone, instant) => {
  const [year = 0, month = 0, day = 0] = date.split("-").map(Number);
  expect(beginningOf({ year, month, day }, zone)).toBe(instant);
});

test("months and days out of range carry over", () => {
  expect(beginningOf({ year: 2026, month: 0, day: 1 }, "UTC")).toBe("2025-12-01T00:00:00.000Z");
  expect(beginningOf({ year: 2026, month: 3, day: 0 }, "UTC")).toBe("2026-02-28T00:00:00.000Z");
});

test("the beginning of a day lies in that day, and the instant before it in another", () => {
  fc.assert(
    fc.property(
      fc.date({ min: new Date("1990-01-01"), max: new Date("2037-12-31"), noInvalidDate: true }),
      // Zones whose clocks never change at midnight.
      fc.constantFrom("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"),
      (date, zone) => {
        const day = dayAt(date.getTime(), zone);
        const beginning = Date.parse(beginningOf(day, zone));
        expect(dayAt(beginning, zone)).toEqual(day);
        expect(dayAt(beginning - 1, zone)).not.toEqual(day);
        expect(beginning).toBeLessThanOrEqual(date.getTime());
      },
    ),
  );
});

test.each([
  ["2026-11-27T10:00:00.000Z", "UTC", "2026-11-27T10:00"],
  ["2026-07-01T22:30:00.000Z", "Europe/Berlin", "2026-07-02T00:30"],
  ["2026-12-31T18:15:00.000Z", "Asia/Kathmandu", "2027-01-01T00:00"],
  ["2026-01-01T03:00:00.000Z", "America/New_York", "2025-12-31T22:00"],
])("%s in %s is entered as %s", (instant, zone, local) => {
  expect(toLocal(instant, zone)).toBe(local);
  expect(fromLocal(local, zone)).toBe(instant);
});

test("no instant is an empty field", () => {
  expect(toLocal(null, "UTC")).toBe("");
  expect(fromLocal("", "UTC")).toBeNull();
});

test("a time that the clocks skip is an hour later", () => {
  expect(fromLocal("2026-03-29T02:30", "Europe/Berlin")).toBe("2026-03-29T01:30:00.000Z");
});

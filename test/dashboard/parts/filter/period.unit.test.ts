import { expect, test, vi } from "vitest";
import { createdIn, type Period } from "../../../../dashboard/src/parts/filter/period.js";

vi.useFakeTimers({ toFake: ["Date"] });

test.each<readonly [now: string, period: Period, zone: string, from: string, to: string | null]>([
  ["2026-01-31T23:59:58Z", "7d", "UTC", "2026-01-25T00:00:00.000Z", null],
  ["2026-02-01T00:00:00Z", "7d", "UTC", "2026-01-26T00:00:00.000Z", null],
  ["2026-01-31T23:59:58Z", "30d", "UTC", "2026-01-02T00:00:00.000Z", null],
  ["2026-01-31T23:59:58Z", "90d", "UTC", "2025-11-03T00:00:00.000Z", null],
  ["2026-01-31T23:59:58Z", "this-month", "UTC", "2026-01-01T00:00:00.000Z", null],
  ["2026-01-31T23:59:58Z", "last-month", "UTC", "2025-12-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z"],
  // It is February already in Berlin, and still December in New York.
  ["2026-01-31T23:59:58Z", "this-month", "Europe/Berlin", "2026-01-31T23:00:00.000Z", null],
  [
    "2026-01-01T03:00:00Z",
    "last-month",
    "America/New_York",
    "2025-11-01T04:00:00.000Z",
    "2025-12-01T05:00:00.000Z",
  ],
  // The clocks changed on March 29.
  ["2026-03-31T12:00:00Z", "7d", "Europe/Berlin", "2026-03-24T23:00:00.000Z", null],
  ["2028-03-31T12:00:00Z", "last-month", "UTC", "2028-02-01T00:00:00.000Z", "2028-03-01T00:00:00.000Z"],
])("at %s, links of %s in %s were created from %s", (now, period, zone, createdFrom, createdTo) => {
  vi.setSystemTime(now);
  expect(createdIn(period, zone)).toEqual(createdTo ? { createdFrom, createdTo } : { createdFrom });
});

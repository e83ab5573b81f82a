import { expect, test, vi } from "vitest";
import { SPANS, timeOf } from "../../../../dashboard/src/ui/chart/spans.js";

vi.useFakeTimers({ toFake: ["Date"] });

test("a span ends with the day of the time zone, and begins as many days before that end", () => {
  vi.setSystemTime("2026-12-31T23:59:58Z");
  expect(timeOf(7, "UTC")).toEqual({
    from: "2026-12-25T00:00:00.000Z",
    to: "2027-01-01T00:00:00.000Z",
    unit: "DAY",
  });
  // The clocks changed on October 25.
  expect(timeOf(90, "Europe/Berlin")).toEqual({
    from: "2026-10-03T22:00:00.000Z",
    to: "2027-01-01T23:00:00.000Z",
    unit: "DAY",
  });
});

test("days are shown up to a quarter, and weeks of a year", () => {
  expect(SPANS.map((span) => timeOf(span, "UTC").unit)).toEqual(["DAY", "DAY", "DAY", "WEEK"]);
});

test("the span stays the same all day", () => {
  vi.setSystemTime("2026-06-30T22:00:00Z");
  const first = timeOf(30, "Europe/Berlin");
  vi.setSystemTime("2026-07-01T21:59:59Z");
  expect(timeOf(30, "Europe/Berlin")).toEqual(first);
  vi.setSystemTime("2026-07-01T22:00:00Z");
  expect(timeOf(30, "Europe/Berlin")).not.toEqual(first);
});

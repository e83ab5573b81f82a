import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toExpireDate } from "../../src/telegram/dates.js";

const MAX = 2 ** 31 - 1;

/** Mostly valid fields of a date, and sometimes an invalid one. */
const field = (min: number, max: number) =>
  fc.oneof({ weight: 20, arbitrary: fc.integer({ min, max }) }, fc.integer({ min: 0, max: 99 }));

const written = fc.record({
  year: fc.oneof(
    { weight: 10, arbitrary: fc.integer({ min: 1971, max: 2037 }) },
    fc.integer({ min: 0, max: 9999 }),
  ),
  month: field(1, 12),
  day: field(1, 31),
  hour: field(0, 23),
  minute: field(0, 59),
  second: field(0, 59),
  fraction: fc.stringMatching(/^([.,][0-9]{1,20})?$/),
  between: fc.constantFrom("T", "t", " "),
  zone: fc.oneof(
    fc.constantFrom("", "Z", "z").map((text) => ({ text, minutes: 0, exists: true })),
    fc
      .record({
        sign: fc.constantFrom(1, -1),
        hours: field(0, 23),
        minutes: field(0, 59),
        colon: fc.constantFrom(":", ""),
      })
      .map(({ sign, hours, minutes, colon }) => ({
        text: `${sign > 0 ? "+" : "-"}${digits(hours)}${colon}${digits(minutes)}`,
        minutes: sign * (hours * 60 + minutes),
        exists: hours < 24 && minutes < 60,
      })),
  ),
  shape: fc.constantFrom("date", "minutes", "seconds"),
});

const digits = (value: number, length = 2) => String(value).padStart(length, "0");
const refused = (text: string): void => {
  expect(() => toExpireDate(text)).toThrow(RangeError);
};

describe("an expiry as text", () => {
  it("is read as Date.UTC reads its fields, or refused if the day, time or offset does not exist", () => {
    let accepted = 0;
    fc.assert(
      fc.property(written, ({ year, month, day, fraction, between, zone, shape, ...time }) => {
        const { hour, minute } = shape === "date" ? { hour: 0, minute: 0 } : time;
        const second = shape === "seconds" ? time.second : 0;
        const offset = shape === "date" ? { text: "", minutes: 0, exists: true } : zone;
        const text = [
          `${digits(year, 4)}-${digits(month)}-${digits(day)}`,
          shape === "date" ? "" : `${between}${digits(hour)}:${digits(minute)}`,
          shape === "seconds" ? `:${digits(second)}${fraction}` : "",
          offset.text,
        ].join("");
        const instant = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
        const same =
          instant.getUTCFullYear() === year &&
          instant.getUTCMonth() === month - 1 &&
          instant.getUTCDate() === day &&
          instant.getUTCHours() === hour &&
          instant.getUTCMinutes() === minute &&
          instant.getUTCSeconds() === second;
        const expected = instant.getTime() / 1000 - offset.minutes * 60;
        if (!same || !offset.exists || expected <= 0 || expected > MAX) return refused(text);
        accepted += 1;
        expect(toExpireDate(text), text).toBe(expected);
      }),
      { numRuns: 3000 },
    );
    expect(accepted).toBeGreaterThan(500);
  });

  it.each([
    ["2025-05-02T15:46:10.9476699", Date.UTC(2025, 4, 2, 15, 46, 10) / 1000],
    ["2025-05-02t15:46:10z", Date.UTC(2025, 4, 2, 15, 46, 10) / 1000],
    ["2025-05-02 15:46:10+0300", Date.UTC(2025, 4, 2, 12, 46, 10) / 1000],
    ["2025-05-02T15:46:10-03:00", Date.UTC(2025, 4, 2, 18, 46, 10) / 1000],
    ["2028-02-29", Date.UTC(2028, 1, 29) / 1000],
    ["1746200770", 1_746_200_770],
    ["2038-01-19T03:14:07.999Z", MAX],
  ])("%s is %d", (text, seconds) => {
    expect(toExpireDate(text)).toBe(seconds);
  });

  it.each([
    "2025-02-30",
    "2027-02-29",
    "2025-13-01",
    "2025-05-02T24:00:00",
    "2025-06-30T23:59:60Z",
    "2025-05-02Z",
    "2025-5-2",
    "tomorrow",
    "1746200770.5",
    " 2025-05-02",
    "2025-05-02\n",
    "0",
    "-1",
    "1970-01-01",
    // Milliseconds: read as 32-bit seconds they would be a date in the past or no date.
    "1746200770000",
    "2038-01-19T03:14:08Z",
    "0070-05-02",
  ])("%j is refused", (text) => refused(text));
});

describe("an expiry as a value", () => {
  it("can be a Date or Unix seconds, without fractions", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1000, max: MAX * 1000 + 999 }), (milliseconds) => {
        const seconds = Math.floor(milliseconds / 1000);
        expect(toExpireDate(new Date(milliseconds))).toBe(seconds);
        expect(toExpireDate(milliseconds / 1000)).toBe(seconds);
        expect(toExpireDate(new Date(milliseconds).toISOString())).toBe(seconds);
      }),
    );
  });

  it.each([new Date(Number.NaN), Number.NaN, Number.POSITIVE_INFINITY, 0, 0.5, -5, MAX + 1])(
    "is refused if Telegram would ignore it: %s",
    (value) => expect(() => toExpireDate(value)).toThrow(RangeError),
  );
});

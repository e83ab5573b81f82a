import fc from "fast-check";
import { expect, test } from "vitest";
import { parseAmount } from "../../../dashboard/src/i18n/format.js";

test.each([
  ["", "0"],
  ["1500", "1500"],
  ["1500.5", "1500.5"],
  ["99,50", "99.50"],
  ["1,500.50", "1500.50"],
  ["1 500,50", "1500.50"],
  ["1\u00a0500,50", "1500.50"],
  ["1.500,50", "1500.50"],
  ["1’500.50", "1500.50"],
  ["1,234,567", "1234567"],
])("the amount %j is read as %s", (typed, amount) => {
  expect(parseAmount(typed)).toBe(amount);
});

test.each(["abc", "-1", "1,50,50", "1.5.5", "12,34.5", "1,500,50", "$5", "1e3"])(
  "%j is not an amount",
  (typed) => {
    expect(parseAmount(typed)).toBeNull();
  },
);

test("an amount that a language writes is read as it was", () => {
  const amount = fc.tuple(fc.integer({ min: 0, max: 10 ** 11 }), fc.integer({ min: 0, max: 99 }));
  fc.assert(
    fc.property(amount, fc.constantFrom("en", "ru", "de", "de-CH", "fr"), ([whole, cents], language) => {
      const exact = `${whole}.${String(cents).padStart(2, "0")}`;
      const written = new Intl.NumberFormat(language, { minimumFractionDigits: 2 }).format(
        exact as Intl.StringNumericLiteral,
      );
      expect(parseAmount(written)).toBe(exact);
    }),
  );
});

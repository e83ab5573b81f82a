import fc from "fast-check";
import { expect, test } from "vitest";
import { contrast, textOn } from "../../dashboard/src/colour.js";

test("the text on a tag can be read, whatever the tag's colour", () => {
  const colour = fc
    .integer({ min: 0, max: 0xffffff })
    .map((value) => `#${value.toString(16).padStart(6, "0").toUpperCase()}`);
  // What WCAG asks of small text.
  fc.assert(fc.property(colour, (background) => contrast(background, textOn(background)) >= 4.5));
});

test.each([
  ["#FFFFFF", "#000000", 21],
  ["#808080", "#FFFFFF", 3.949],
  ["#FF0000", "#FFFFFF", 3.998],
])("the contrast of %s and %s is WCAG's", (one, other, ratio) => {
  expect(contrast(one, other)).toBeCloseTo(ratio, 2);
  expect(contrast(other, one)).toBeCloseTo(ratio, 2);
});

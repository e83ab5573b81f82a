import fc from "fast-check";
import { expect, test } from "vitest";
import { contrast, textOn } from "../../../dashboard/src/ui/colour.js";

test("the text on a tag has enough contrast for every colour of the tag", () => {
  const colour = fc
    .integer({ min: 0, max: 0xffffff })
    .map((value) => `#${value.toString(16).padStart(6, "0").toUpperCase()}`);
  // WCAG 2 demands a contrast of 4.5 for small text.
  fc.assert(fc.property(colour, (background) => contrast(background, textOn(background)) >= 4.5));
});

test.each([
  ["#FFFFFF", "#000000", 21],
  ["#808080", "#FFFFFF", 3.949],
  ["#FF0000", "#FFFFFF", 3.998],
])("the contrast of %s and %s is the ratio that WCAG defines", (one, other, ratio) => {
  expect(contrast(one, other)).toBeCloseTo(ratio, 2);
  expect(contrast(other, one)).toBeCloseTo(ratio, 2);
});

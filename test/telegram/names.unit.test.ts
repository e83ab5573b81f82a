import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cleanName } from "../../src/sandbox/names.js";
import { cleanLinkName } from "../../src/telegram/names.js";

const MARKS = /[\u200e\u200f]{2}/;

/** Characters that the cleaning treats in some way, among letters. */
const special = fc.constantFrom(
  ..."\0\t\n\v\f\r\x0e\x1f \x7f\u00a0\u1680\u180e\u2000\u200a\u200b\u200c\u200d\u200e\u200f\u2028\u202a\u202e\u202f\u205f\u2800\u3000\u030a\u0333\u033f\ufeff\ufffc\u{e0001}\u{e007f}aБ😀",
);
const text = (maxLength: number) =>
  fc.oneof(
    fc.array(special, { maxLength }).map((parts) => parts.join("")),
    fc.string({ unit: "binary", maxLength }),
    fc.string({
      unit: fc.oneof(special, fc.string({ unit: "grapheme", minLength: 1, maxLength: 1 })),
      maxLength: maxLength / 2,
    }),
  );

describe("cleanLinkName", () => {
  it.each([
    ["plain", "plain"],
    ["  two\t\nlines\r\n ", "two lines"],
    ["a\u00a0\u00a0b", "a b"],
    ["a\u3000\u2003b", "a b"],
    ["a\u202eb\u2028c", "abc"],
    ["Z\u0333\u033f\u030a", "Z"],
    ["\u200b\u200c\ufeff\u00a0", ""],
    ["\u200bx", "\u200bx"],
    ["", ""],
    ["a\u200e\u200f\u200eb", "a\u200c\u200c\u200eb"],
    ["a\u200eb", "a\u200eb"],
    ["\u{e0067}\u{e007f}flag", "flag"],
    ["👨‍👩‍👧", "👨‍👩‍👧"],
    ["a\x7fb", "a\x7fb"],
    ["é", "é"],
    ["A\u030a", "A"],
  ])("makes of %j %j", (name, cleaned) => {
    expect(cleanLinkName(name)).toBe(cleaned);
  });

  it("does not change a cleaned name", () => {
    fc.assert(
      fc.property(text(40), (name) => {
        expect(cleanLinkName(cleanLinkName(name))).toBe(cleanLinkName(name));
      }),
      { numRuns: 2_000 },
    );
  });

  it("cleans as the sandbox does, except for the length", () => {
    fc.assert(
      fc.property(text(32), (name) => {
        fc.pre([...name].length <= 32);
        // The sandbox does not change several direction marks in a row.
        fc.pre(!MARKS.test(name.replace(/\r|[\u2028-\u202e]|\u0333|\u033f|\u030a/g, "")));
        expect(cleanLinkName(name)).toBe(cleanName(name));
      }),
      { numRuns: 5_000 },
    );
  });

  it("leaves nothing for the sandbox to clean", () => {
    fc.assert(
      fc.property(text(60), (name) => {
        const cleaned = cleanLinkName(name);
        fc.pre([...cleaned].length <= 32);
        expect(cleanName(cleaned)).toBe(cleaned);
      }),
      { numRuns: 5_000 },
    );
  });
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { bytesOf, jsonOf, parseJson } from "../../../src/graphql/executor/json.js";

/** What has to be escaped, what takes several bytes, and halves of what takes two places. */
const sign = fc.constantFrom(
  '"',
  "\\",
  "\n",
  "\u0000",
  "\u007f",
  "é",
  "Ж",
  "🙂",
  "\ud800",
  "\udc00",
  "\u2028",
  "/",
  " ",
  "~",
);
const text = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary" }),
  fc.array(sign).map((signs) => signs.join("")),
);

test("a value is written as JSON.stringify writes it, in UTF-8", () => {
  fc.assert(
    fc.property(fc.oneof(text, fc.jsonValue({ stringUnit: "binary" })), (value) => {
      expect(bytesOf(jsonOf(value)).toString()).toBe(JSON.stringify(value));
      expect(parseJson(jsonOf(value))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
    { numRuns: 1000 },
  );
});

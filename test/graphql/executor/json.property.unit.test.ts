import fc from "fast-check";
import { expect, test } from "vitest";
import { bytesOf, jsonOf, parseJson } from "../../../src/graphql/executor/json.js";

/** Characters that JSON escapes, characters of several bytes, and lone surrogates. */
const character = fc.constantFrom(
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
  fc.array(character).map((characters) => characters.join("")),
);

test("jsonOf writes the same UTF-8 bytes as JSON.stringify, and parseJson reads them back", () => {
  fc.assert(
    fc.property(fc.oneof(text, fc.jsonValue({ stringUnit: "binary" })), (value) => {
      expect(bytesOf(jsonOf(value)).toString()).toBe(JSON.stringify(value));
      expect(parseJson(jsonOf(value))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
    { numRuns: 1000 },
  );
});

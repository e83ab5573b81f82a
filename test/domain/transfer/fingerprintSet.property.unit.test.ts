import fc from "fast-check";
import { expect, test } from "vitest";
import { FingerprintSet } from "../../../src/domain/transfer/fingerprintSet.js";

test("a set of fingerprints has what was added to it and nothing else", () => {
  fc.assert(
    fc.property(fc.array(fc.string(), { maxLength: 5000 }), fc.array(fc.string()), (added, asked) => {
      const fingerprints = new FingerprintSet();
      for (const text of added) fingerprints.add(text);
      const texts = new Set(added);
      for (const text of [...asked, ...added]) expect(fingerprints.has(text)).toBe(texts.has(text));
    }),
  );
});

test("a set of a hundred thousand fingerprints has each of them", () => {
  const fingerprints = new FingerprintSet();
  for (let index = 0; index < 100_000; index += 1) fingerprints.add(`text ${index}`);
  for (let index = 0; index < 100_000; index += 1)
    if (!fingerprints.has(`text ${index}`)) expect.fail(`text ${index}`);
  expect(fingerprints.has("text 100000")).toBe(false);
});

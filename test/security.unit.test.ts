import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const at = (path: string): URL => new URL(`../${path}`, import.meta.url);
const DOCUMENT = readFileSync(at("docs/security.md"), "utf8");

/** A test file, and behind it the titles of some of its tests. */
const PROOF = /`(test\/[^`]+)`((?:,? "[^"]+")+)/g;
const PROOFS = [...DOCUMENT.matchAll(PROOF)].flatMap(([, path = "", titles = ""]) =>
  [...titles.matchAll(/"([^"]+)"/g)].map(([, title = ""]) => ({ path, title })),
);

test("docs/security.md names a test for each threat", () => {
  const tables = [...DOCUMENT.matchAll(/^\| threat \|.*\n\| ---.*\n((?:\|.*\n)+)/gm)].map(
    ([, rows = ""]) => rows,
  );
  const threats = tables.flatMap((rows) => rows.trim().split("\n"));
  expect(threats.length).toBeGreaterThan(40);
  expect(threats.filter((row) => !/`test\/[^`]+` "[^"]+"/.test(row))).toEqual([]);
  // Nothing that looks like a test escapes the check below.
  expect(DOCUMENT.match(/`test\//g)).toHaveLength([...DOCUMENT.matchAll(PROOF)].length);
});

test.each(PROOFS)("the test that docs/security.md names exists: $path $title", ({ path, title }) => {
  expect(existsSync(at(path))).toBe(true);
  const source = readFileSync(at(path), "utf8");
  expect(['"', "`"].some((quote) => source.includes(`${quote}${title}${quote}`))).toBe(true);
});

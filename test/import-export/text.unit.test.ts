import { afterEach, expect, test, vi } from "vitest";
import { readFileOfLinks } from "../../src/import-export/files.js";
import { MAX_LINE_LENGTH } from "../../src/import-export/text.js";
import { bytesOf } from "../domain/transfer/support.js";

afterEach(() => vi.restoreAllMocks());

test.each([
  ["CSV", "url\n", "t.me/+a\n", ""],
  ["CSV with stray quotation marks", "url,name\n", '"\n', ""],
  ["CSV with an unclosed quotation mark", 'url,name\n"', "t.me/+a,\n", ""],
  ["JSON lines", "", '{"url":"t.me/+a"}\n', ""],
  ["a JSON array", "[", "5,", "5]"],
])("other work of the process goes on while %s is read", async (_what, begin, row, end) => {
  // Time passes quickly, so that a turn is over after each row.
  let now = 0;
  vi.spyOn(performance, "now").mockImplementation(() => {
    now += 20;
    return now;
  });
  let turns = 0;
  const count = () => {
    turns += 1;
    other = setImmediate(count);
  };
  let other = setImmediate(count);
  for await (const _row of readFileOfLinks(bytesOf(begin + row.repeat(100) + end)));
  clearImmediate(other);
  expect(turns).toBeGreaterThan(50);
});

test("a row after a line that is too long is read, wherever the file is divided", async () => {
  for (const end of ["\n", "\r\n"]) {
    const begin = `url${end}${"x".repeat(MAX_LINE_LENGTH + 1)}`;
    const text = `${begin}${end}t.me/+a${end}`;
    for (const size of [begin.length - 1, begin.length, begin.length + 1, begin.length + 2, 65_536]) {
      const places: string[] = [];
      for await (const { place } of readFileOfLinks(bytesOf(text, size))) places.push(place);
      expect([size, places]).toEqual([size, ["line 2", "line 3"]]);
    }
  }
});

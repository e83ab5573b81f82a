import { describe, expect, test } from "vitest";
import { MOST_LINKS, parseLinks } from "../../../../dashboard/src/pages/bulk/parseLinks.js";

const KNOWN = [
  { id: "1", name: "VK", type: "Platform" },
  { id: "2", name: "Анна", type: "Buyer" },
  { id: "3", name: "Blue", type: "Creative" },
  { id: "4", name: "Blue", type: "Buyer" },
];
const wrongs = (text: string) => parseLinks(text, KNOWN).map(({ wrong }) => wrong?.kind ?? null);

describe("a list of links", () => {
  test("has a name, a budget and tags in each line, and empty lines have no meaning", () => {
    expect(parseLinks("First\r\n\n Second \t1 500,50\tvk, анна\nThird\t\tCreative: blue", KNOWN)).toEqual([
      { line: 1, name: "First", budget: "0", tags: [], wrong: null },
      { line: 3, name: "Second", budget: "1500.50", tags: [KNOWN[0], KNOWN[1]], wrong: null },
      { line: 4, name: "Third", budget: "0", tags: [KNOWN[2]], wrong: null },
    ]);
  });

  test.each([
    ["Ad {1-3}", ["Ad 1", "Ad 2", "Ad 3"]],
    ["{08-10} ad", ["08 ad", "09 ad", "10 ad"]],
    ["Ad {3-1}", ["Ad 3", "Ad 2", "Ad 1"]],
    ["Ad {10-08}", ["Ad 10", "Ad 09", "Ad 08"]],
    ["Ad {1-x}", ["Ad {1-x}"]],
  ])("the pattern %s stands for %j", (pattern, names) => {
    expect(parseLinks(pattern, KNOWN).map(({ name }) => name)).toEqual(names);
  });

  test("a pattern of too many links ends soon after as many as a batch takes", () => {
    expect(parseLinks("Ad {1-999999999}", KNOWN)).toHaveLength(MOST_LINKS + 1);
  });

  test("says what is wrong with a line", () => {
    expect(
      wrongs(
        `\t5\n${"n".repeat(33)}\n${"😀".repeat(32)}\nName\tfive\nName\t5\tBlue\nName\t5\tno such\nName\t5\t`,
      ),
    ).toEqual(["name", "tooLong", null, "budget", "tag", "tag", null]);
  });
});

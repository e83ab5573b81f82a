import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ExportedLink } from "../../src/domain/moving/exportLinks.js";
import type { SourceRow } from "../../src/domain/moving/importLinks.js";
import { delimiterOf, writeCsv } from "../../src/moving/csv.js";
import { readFileOfLinks } from "../../src/moving/files.js";
import { bytesOf } from "../domain/moving/support.js";

const read = async (text: string, size?: number): Promise<SourceRow[]> => {
  const rows: SourceRow[] = [];
  for await (const row of readFileOfLinks(bytesOf(text, size))) rows.push(row);
  return rows;
};

const link = (more: Partial<ExportedLink>): ExportedLink => ({
  channel_id: -1,
  url: "https://t.me/+a",
  name: null,
  budget: "0.00",
  created_at: "2024-01-01T00:00:00.000Z",
  creator_id: null,
  expire_date: null,
  member_limit: null,
  creates_join_request: false,
  subscription_price: null,
  is_bot_created: true,
  is_revoked: false,
  tags: [],
  ...more,
});

const write = async (links: readonly ExportedLink[], tagTypes: readonly string[] = []): Promise<string> => {
  const source = (async function* () {
    yield* links;
  })();
  let text = "";
  for await (const part of writeCsv({ total: links.length, tagTypes, links: source })) text += part;
  return text;
};

describe("a table of links", () => {
  test.each([
    ["a BOM, CRLF and semicolons", '\ufeffurl;name;budget\r\nhttps://t.me/+a;"Ä; ""b""";250,5\r\n'],
    ["tabs", 'URL\tName\tBudget\nhttps://t.me/+a\t"Ä; ""b"""\t250.5\n'],
    ["no line's end at the end", 'url,name,budget\nhttps://t.me/+a,"Ä; ""b""",250.5'],
    ["empty lines", '\n\nurl,name,budget\n\nhttps://t.me/+a,"Ä; ""b""",250.5\n\n'],
    ["rows of empty cells", 'url;name;budget\r\n;;\r\nhttps://t.me/+a;"Ä; ""b""";250,5\r\n;;\r\n""; ;\r\n'],
  ])("is read with %s", async (_, text) => {
    for (const size of [1, 3, 1000]) {
      const [row, ...more] = await read(text, size);
      expect(more).toEqual([]);
      expect(row?.record).toEqual({ url: "https://t.me/+a", name: 'Ä; "b"', budget: "250.5" });
    }
  });

  test("has a cell for each column of the header, or is told where not", async () => {
    const rows = await read("url,name\nhttps://t.me/+a,x,y\nhttps://t.me/+b\nhttps://t.me/+c,z\n");
    expect(rows.map(({ place, record }) => [place, "unreadable" in record])).toEqual([
      ["line 2", true],
      ["line 3", true],
      ["line 4", false],
    ]);
  });

  test.each([
    ["url,budjet\n", /"budjet" is not known; known are .*budget/],
    ["url,name,Name\n", /"name" is there twice/],
    ["name,budget\n", /no column url/],
    ['url\n"broken', /no CSV/],
  ])("%j is refused", async (text, message) => {
    await expect(read(text)).rejects.toThrow(message);
  });

  test("names tags in a column a type, with bars between them", async () => {
    const [row] = await read(
      'url,tag:Platform, TAG: Buyer \nhttps://t.me/+a,"YouTube|VK | a\\|b\\\\ ||","\'=1+1"\n',
    );
    expect(row?.record).toEqual({
      url: "https://t.me/+a",
      tagTypes: ["Platform", "Buyer"],
      tags: [
        { type: "Platform", name: "YouTube" },
        { type: "Platform", name: "VK" },
        { type: "Platform", name: "a|b\\" },
        { type: "Buyer", name: "=1+1" },
      ],
    });
  });

  test("has no cell that a spreadsheet takes for a formula, and reads as it was written", async () => {
    const text = fc.oneof(
      fc.constantFrom("=1", "'=1", "''=1", "'quoted", "+", "-2", "@x", "\tx", "\rx", "\nx", "＝1", "'"),
      fc.string({ unit: "grapheme", minLength: 1 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 5 }), async (names) => {
        const csv = await write(names.map((name) => link({ name })));
        const rows = await read(csv, 11);
        expect(rows.map(({ record }) => (record as { name: string }).name)).toEqual(names);
        for (const cell of csv.matchAll(/\+a,("?)([^\n])/g)) expect(cell[2]).not.toMatch(/[=+\-@\t＝]/);
      }),
    );
  });

  test("shows what separates its cells, whatever types are named", async () => {
    const types = [";".repeat(60), "\t", '"', ",,,", "tag:"];
    const csv = await write([link({})], types);
    expect(delimiterOf(csv.split("\r\n")[0] ?? "")).toBe(",");
    const [row] = await read(csv);
    expect(row?.record).toMatchObject({ tagTypes: [types[0], "", ...types.slice(2)] });
  });
});

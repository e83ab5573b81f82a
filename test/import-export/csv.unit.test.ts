import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Problems } from "../../src/domain/shared/errors.js";
import type { ExportedLink } from "../../src/domain/transfer/exportLinks.js";
import type { SourceRow } from "../../src/domain/transfer/importLinks.js";
import { readLink } from "../../src/domain/transfer/linkRecord.js";
import { type ColumnMap, readColumnMap } from "../../src/import-export/columnMap.js";
import { separationOf, writeCsv } from "../../src/import-export/csv.js";
import { readFileOfLinks } from "../../src/import-export/files.js";
import { bytesOf } from "../domain/transfer/support.js";

const read = async (text: string, size?: number, map?: ColumnMap): Promise<SourceRow[]> => {
  const rows: SourceRow[] = [];
  for await (const row of readFileOfLinks(bytesOf(text, size), map)) rows.push(row);
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
  external_id: null,
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

describe("a CSV file from a spreadsheet", () => {
  const budgets = (rows: readonly SourceRow[]) =>
    rows.map(({ record }) => ("unreadable" in record ? "unreadable" : record.budget));

  test.each([
    ["behind the header and all rows", "url;budget;;;\r\nhttps://t.me/+a;5;;;\r\n;;;;\r\n"],
    ["behind some rows alone", "url;budget\r\nhttps://t.me/+a;5;; \r\n"],
    ["behind the header alone", "url;budget;;\r\nhttps://t.me/+a;5\r\n"],
    ["between columns that have names", "url;;budget\r\nhttps://t.me/+a;;5\r\n"],
  ])("a CSV file may have empty columns %s", async (_, text) => {
    const rows = await read(text);
    expect(rows).toEqual([{ place: "line 2", record: { url: "https://t.me/+a", budget: "5" } }]);
  });

  test("a CSV file must not have a value in a column without a name", async () => {
    expect(budgets(await read("url;;budget;\na;x;5\na;;5;x\na;;5;\n"))).toEqual([
      "unreadable",
      "unreadable",
      "5",
    ]);
  });

  test.each([
    ["sep=;", ";"],
    ["SEP=,", ","],
    ["sep=\t", "\t"],
    ["sep=\\t", "\t"],
    ["sep=|", "|"],
    ['"sep=;"', ";"],
    ["sep=;;;", ";"],
  ])("a CSV file may declare its delimiter by %j", async (line, delimiter) => {
    const table = [line, ["url", "budget", "tag:A,B;C"].join(delimiter), ["a", "5", "x"].join(delimiter)];
    if (delimiter === "," || delimiter === ";") table[1] = ["url", "budget", '"tag:A,B;C"'].join(delimiter);
    for (const size of [1, 1000]) {
      const rows = await read(`\ufeff${table.join("\r\n")}\r\n`, size);
      expect(rows.map(({ place }) => place)).toEqual(["line 3"]);
      expect(rows[0]?.record).toMatchObject({ url: "a", budget: "5", tagTypes: ["A,B;C"] });
    }
  });

  const STRAY = [
    ["opens a cell that is never closed", 'b;"Bob;2'],
    ["stands within a cell", 'b;5" disc;2'],
    ["stands behind a closed cell", 'b;"Bob" Smith;2'],
    ["stands at a cell's end", 'b;Bob";2'],
  ] as const;
  test.each(STRAY)("a CSV file loses only the row with a quotation mark that %s", async (_, broken) => {
    const others = ["c;Carl;3", 'd;"D; ""quoted""\nname";4', "e;E;5"];
    const rows = await read(["url;name;budget", "a;A;1", broken, ...others, broken, ""].join("\n"), 5);
    expect(budgets(rows)).toEqual(["1", "unreadable", "3", "4", "5", "unreadable"]);
    expect(rows[1]).toEqual({
      place: "line 3",
      record: { unreadable: expect.stringMatching(/^A quotation mark is not closed[^\n]*doubled/) },
    });
    expect(rows[3]?.record).toMatchObject({ name: 'D; "quoted"\nname' });
  });

  test("a CSV file keeps a row between two stray quotation marks, which could look like one cell of many lines", async () => {
    const rows = await read('url;name;budget\na;A;1\nb;"Bob;2\nc;C;3\n";D;4\ne;E;5\n');
    expect(budgets(rows)).toEqual(["1", "unreadable", "3", "unreadable", "5"]);
  });

  test("a CSV file loses only the rows with a stray quotation mark", async () => {
    const cell = fc.constantFrom("x", "", '"y"', '"a ""b"" c"', '"two\nlines"', '"; ,"');
    const row = fc.oneof(
      { weight: 4, arbitrary: fc.record({ name: cell, isBroken: fc.constant(false) }) },
      {
        weight: 1,
        arbitrary: fc.record({
          name: fc.constantFrom('5" disc', 'x"y"z', '"a" b'),
          isBroken: fc.constant(true),
        }),
      },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { maxLength: 12 }),
        fc.constantFrom("\n", "\r\n", "\r"),
        async (rows, end) => {
          const text = ["url;name;budget", ...rows.map(({ name }, index) => `u;${name};${index}`)].join(end);
          const expected = rows.map(({ isBroken }, index) => (isBroken ? "unreadable" : String(index)));
          expect(budgets(await read(text, 7))).toEqual(expected);
        },
      ),
    );
  });

  test("a CSV file keeps all rows after an unclosed quotation mark in the first row, in bounded memory", async () => {
    const count = 60_000;
    const rows = await read(`url;budget\n"a;1\n${"https://t.me/+abcdefgh;2\n".repeat(count)}`, 65_536);
    expect(rows.length).toBe(count + 1);
    expect(budgets(rows).filter((budget) => budget !== "2")).toEqual(["unreadable"]);
  });

  test("a CSV file may have other column names, if mappings name their fields", async () => {
    const map = readColumnMap(["url=Ссылка", "Budget= бюджет ", "tag:Platform=Площадка", "name=budget"]);
    const text = "ССЫЛКА;Бюджет;площадка;Budget;expire_date\na;5;VK | YouTube;Name;\n";
    const [row] = await read(text, 7, map);
    expect(row?.record).toEqual({
      url: "a",
      budget: "5",
      name: "Name",
      expire_date: "",
      tagTypes: ["Platform"],
      tags: [
        { type: "Platform", name: "VK" },
        { type: "Platform", name: "YouTube" },
      ],
    });
  });

  test.each([
    [[], "url;Бюджет\n", /no field for the column "Бюджет"\. .*--map budget="Бюджет"\.$/],
    [[], "Ссылка;name\n", /no field for the column "Ссылка"\. .*--map/],
    [["budget=Cost"], "url;price\n", /no column "Cost", which --map names\. Its columns are "url", "price"/],
    [["budget=Cost"], "url;cost;budget\n", /Two columns contain "budget"/],
    [["tags=Cost"], "url;cost\n", /--map tag:TYPE=COLUMN/],
  ])(
    "a CSV file with the mapping %j and the header %j is refused in one line",
    async (mappings, text, message) => {
      await expect(read(text, 7, readColumnMap(mappings))).rejects.toThrow(message);
    },
  );

  test.each([["budget"], ["budget="], ["budjet=Cost"], ["budget=A", "budget=B"], ["name=A", "budget=a"]])(
    "takes no mapping %j",
    (...mappings) => {
      expect(() => readColumnMap(mappings.flat())).toThrow(/--map/);
    },
  );
});

describe("a JSON file of links", () => {
  const recordsOf = async (text: string, size?: number) =>
    (await read(text, size)).map(({ place, record }) => [place, "unreadable" in record ? null : record]);
  const items = [
    { url: "a", name: '[{"],\\"' },
    { url: "b", tags: [{ type: "T", name: "N" }] },
    { url: "c" },
  ];

  test("a JSON file may be one array in any layout", async () => {
    for (const indent of [0, 2]) {
      for (const size of [1, 5, 1000]) {
        expect(await recordsOf(`\ufeff \n${JSON.stringify(items, null, indent)}\n`, size)).toEqual(
          items.map((item, index) => [`item ${index + 1}`, item]),
        );
      }
    }
    expect(await recordsOf("[]")).toEqual([]);
    expect(await recordsOf("[ \n ]\n")).toEqual([]);
  });

  test("a JSON file loses only the items that are not valid JSON", async () => {
    expect(await recordsOf('[{"url":"a"},{"url":},5,,{"url":"b"}]')).toEqual([
      ["item 1", { url: "a" }],
      ["item 2", null],
      ["item 3", null],
      ["item 4", null],
      ["item 5", { url: "b" }],
    ]);
  });

  test.each([
    ['[{"url":"a"},{"url"', /not closed\. The file ends in item 2/],
    ['[{"url":"a"}] x', /after the JSON array/],
    ["[1]\n[2]\n", /after the JSON array/],
    [`[${"[".repeat(50_000)}`, /not closed/],
  ])("a JSON file is refused in one line if its array is not complete: %#", async (text, message) => {
    await expect(read(text, 65_536)).rejects.toThrow(message);
  });

  test.each([
    ["a line of JSON", (long: string) => `{"url":"a"}\n{"url":"${long}"}\n{"url":"b"}\n`],
    ["a line of CSV", (long: string) => `url,name\na,\nx,${long}\nb,\n`],
    ["an item of an array", (long: string) => `[{"url":"a"},{"url":"${long}"},{"url":"b"}]`],
  ])("a JSON file loses only a record that is too long, as %s", async (_, fileOf) => {
    const rows = await read(fileOf("x".repeat(3_000_000)), 65_536);
    const [first, long, last] = rows.map(({ record }) => record);
    expect(rows).toHaveLength(3);
    expect(first).toMatchObject({ url: "a" });
    expect(long).toEqual({
      unreadable: "The record has more than 1000000 characters, which is too long for a link.",
    });
    expect(last).toMatchObject({ url: "b" });
  });

  const open = "[".repeat(100_000);
  const close = "]".repeat(100_000);
  test.each([
    ["as the whole line", open + close],
    ["not closed", `{"url":${open}`],
    ["as the address", `{"url":${open}${close}}`],
    ["as the tags", `{"url":"b","tags":${open}${close}}`],
    ["as a tag's name", `{"url":"b","tags":[{"type":"T","name":${open}${close}}]}`],
    ["as an unknown property", `{"b":${open}${close}}`],
    ["as objects", `${'{"url":'.repeat(50_000)}1${"}".repeat(50_000)}`],
  ])("a JSON file loses only a record that is nested thousands of levels deep, %s", async (_, deep) => {
    const good = '{"url":"https://t.me/+a","channel_id":-1}';
    for (const text of [
      `${good}\n${deep}\n${good}\n`,
      deep.endsWith("[") ? "" : `[${good},${deep},${good}]`,
    ]) {
      if (text === "") continue;
      const accepted = (await read(text, 65_536)).map(({ record }) => {
        const problems = new Problems();
        return "unreadable" in record ? null : readLink(record, null, problems);
      });
      expect(accepted.map((link) => link !== null)).toEqual([true, false, true]);
    }
  });

  test("a JSON file may have other property names, if mappings name their fields", async () => {
    const map = readColumnMap(["url=Ссылка", "tags=метки"]);
    const rows = await read('{"ссылка":"a","метки":[]}\n{"url":"b","ссылка":"c"}\n', 7, map);
    expect(rows[0]?.record).toEqual({ url: "a", tags: [] });
    expect(rows[1]?.record).toHaveProperty("unreadable");
    await expect(read("{}", 7, readColumnMap(["tag:T=x"]))).rejects.toThrow(/--map tags=PROPERTY/);
  });
});

describe("a CSV file of links", () => {
  test.each([
    ["a BOM, CRLF and semicolons", '\ufeffurl;name;budget\r\nhttps://t.me/+a;"Ä; ""b""";250.5\r\n'],
    ["tabs", 'URL\tName\tBudget\nhttps://t.me/+a\t"Ä; ""b"""\t250.5\n'],
    ["no line's end at the end", 'url,name,budget\nhttps://t.me/+a,"Ä; ""b""",250.5'],
    ["empty lines", '\n\nurl,name,budget\n\nhttps://t.me/+a,"Ä; ""b""",250.5\n\n'],
    ["rows of empty cells", 'url;name;budget\r\n;;\r\nhttps://t.me/+a;"Ä; ""b""";250.5\r\n;;\r\n""; ;\r\n'],
  ])("a CSV file is read correctly with %s", async (_, text) => {
    for (const size of [1, 3, 1000]) {
      const [row, ...more] = await read(text, size);
      expect(more).toEqual([]);
      expect(row?.record).toEqual({ url: "https://t.me/+a", name: 'Ä; "b"', budget: "250.5" });
    }
  });

  test("a CSV file has an unreadable row where the number of cells differs from the header", async () => {
    const rows = await read("url,name\nhttps://t.me/+a,x,y\nhttps://t.me/+b\nhttps://t.me/+c,z\n");
    expect(rows.map(({ place, record }) => [place, "unreadable" in record])).toEqual([
      ["line 2", true],
      ["line 3", true],
      ["line 4", false],
    ]);
  });

  test.each([
    ["url,budjet\n", /no field for the column "budjet"\. The columns are .*budget/],
    ["url,name,Name\n", /Two columns contain "name"/],
    ["name,budget\n", /no column url/],
    ['"url\n', /not CSV/],
  ])("a CSV file is refused if its text is %j", async (text, message) => {
    await expect(read(text)).rejects.toThrow(message);
  });

  test("a CSV file lists tags in one column for each type, separated by bars", async () => {
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

  test("a CSV file contains no cell that a spreadsheet treats as a formula, and reads back unchanged", async () => {
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

  test("a CSV file has a recognisable delimiter for any names of tag types", async () => {
    const types = [";".repeat(60), "\t", '"', ",,,", "tag:"];
    const csv = await write([link({})], types);
    expect(separationOf(csv.split("\r\n")[0] ?? "").delimiter).toBe(",");
    const [row] = await read(csv);
    expect(row?.record).toMatchObject({ tagTypes: [types[0], "", ...types.slice(2)] });
  });
});

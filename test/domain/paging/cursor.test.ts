import fc from "fast-check";
import sql from "sql-template-tag";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cursorsOf, decodeCursor } from "../../../src/domain/paging/cursor.js";
import type { KeyValue, Ordering, OrderKey } from "../../../src/domain/paging/ordering.js";
import { ValidationError } from "../../../src/domain/shared/errors.js";
import { foldName } from "../../../src/domain/shared/text.js";
import {
  describeOnForms,
  openTestDatabase,
  type TestDatabase,
  USUAL_FORMS,
} from "../../support/databases.js";

type Row = Record<"id" | "at" | "amount" | "count", string> & { name: string | null };

const keys = {
  id: { name: "id", column: sql`id`, type: "uuid", valueOf: (row) => row.id },
  at: { name: "at", column: sql`at`, type: "timestamptz", valueOf: (row) => row.at },
  amount: { name: "amount", column: sql`amount`, type: "numeric", valueOf: (row) => row.amount },
  count: { name: "count", column: sql`count`, type: "bigint", valueOf: (row) => row.count },
  name: { name: "name", column: sql`name`, type: "text", nullable: true, valueOf: (row) => row.name },
  key: { name: "key", column: sql`name`, type: "text", valueOf: (row) => row.name },
} satisfies Record<string, OrderKey<Row>>;

const direction = fc.constantFrom("ASC", "DESC");
const ordering: fc.Arbitrary<Ordering<Row>> = fc
  .tuple(
    fc.shuffledSubarray([keys.at, keys.amount, keys.count, keys.name] as OrderKey<Row>[]),
    fc.array(direction, { minLength: 5, maxLength: 5 }),
  )
  .map(([chosen, directions]) =>
    [...chosen, keys.id].map((key, index) => ({ key, direction: directions[index] ?? "ASC" })),
  );

const storable = fc.string({ unit: "grapheme", maxLength: 32 }).filter((text) => !text.includes("\0"));
const row: fc.Arbitrary<Row> = fc.record({
  id: fc.uuid(),
  at: fc
    .date({
      min: new Date("0001-01-01T00:00:00Z"),
      max: new Date("9999-12-31T23:59:59.999Z"),
      noInvalidDate: true,
    })
    .map((date) => date.toISOString()),
  amount: fc
    .bigInt(0n, 99_999_999_999_999n)
    .map((cents) => `${cents / 100n}.${String(cents % 100n).padStart(2, "0")}`),
  count: fc.nat().map(String),
  name: fc.option(storable, { nil: null }),
});

const forge = (content: unknown) => Buffer.from(JSON.stringify(content)).toString("base64url");
const byKey = (key: OrderKey<Row>): Ordering<Row> => [{ key, direction: "ASC" }];

/** The values of a cursor, or the fields of the ValidationError. Any other error is thrown. */
function read(order: Ordering<Row>, cursor: string): KeyValue[] | { refused: string[] } {
  try {
    return decodeCursor(order, cursor, "after");
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    return { refused: error.fieldErrors.map(({ field }) => field) };
  }
}

const REFUSED = { refused: ["after"] };

describe("cursors", () => {
  it("a cursor holds the place of a row", () => {
    fc.assert(
      fc.property(ordering, row, (order, of) => {
        const cursor = cursorsOf(order)(of);
        expect(cursor).toMatch(/^[A-Za-z0-9_-]+$/);
        expect(decodeCursor(order, cursor, "after")).toEqual(order.map(({ key }) => key.valueOf(of)));
      }),
    );
  });

  it("a cursor of another order is refused", () => {
    fc.assert(
      fc.property(ordering, ordering, row, (order, other, of) => {
        const shape = (of: Ordering<Row>) =>
          of.map(({ key, direction }) => `${key.name} ${direction}`).join();
        fc.pre(shape(order) !== shape(other));
        expect(read(other, cursorsOf(order)(of))).toEqual(REFUSED);
      }),
    );
  });

  it("a text that is no cursor is refused with a ValidationError and no other error", () => {
    const values = fc.oneof(
      fc.anything(),
      fc.string({ unit: "binary" }),
      fc.constantFrom("\0", "\ud800", "a\0b", "NaN", "1e400", "infinity"),
    );
    const forged = fc
      .tuple(
        fc.constantFrom<unknown>(1, 2, "1", null),
        fc.constantFrom("id ASC", "key ASC", ""),
        fc.array(values, { maxLength: 3 }),
      )
      .map(([version, order, rest]) =>
        Buffer.from(JSON.stringify([version, order, ...rest]) ?? "").toString("base64url"),
      );
    fc.assert(
      fc.property(
        ordering,
        fc.oneof(
          fc.string({ unit: "binary" }),
          fc.base64String(),
          forged,
          fc.json().map((text) => Buffer.from(text).toString("base64")),
        ),
        (order, cursor) => {
          const values = read(order, cursor);
          if ("refused" in values) expect(values).toEqual(REFUSED);
          else expect(values).toHaveLength(order.length);
        },
      ),
    );
  });

  it("a cursor with a changed character is refused, or still holds values of the right kind", () => {
    fc.assert(
      fc.property(
        ordering,
        row,
        fc.nat(),
        fc.string({ unit: "binary-ascii", maxLength: 2 }),
        (order, of, place, text) => {
          const cursor = cursorsOf(order)(of);
          const at = place % cursor.length;
          const values = read(order, cursor.slice(0, at) + text + cursor.slice(at + 1));
          if ("refused" in values) expect(values).toEqual(REFUSED);
          else
            for (const value of values)
              expect(value === null || (value.isWellFormed() && !value.includes("\0"))).toBe(true);
        },
      ),
    );
  });

  it.each<[string, unknown]>([
    ["NUL", [1, "key ASC", "a\0b"]],
    ["a lone surrogate", [1, "key ASC", "\ud800"]],
    ["no value", [1, "key ASC"]],
    ["a value too many", [1, "key ASC", "a", "b"]],
    ["null for a key without nulls", [1, "key ASC", null]],
    ["a number", [1, "key ASC", 1]],
    ["a list", [1, "key ASC", ["a"]]],
    ["another version", [2, "key ASC", "a"]],
    ["a version as a text", ["1", "key ASC", "a"]],
    ["no order", [1]],
    ["an object", { version: 1 }],
    ["nothing", null],
  ])("a cursor with %s is refused", (_title, content) => {
    expect(read(byKey(keys.key), forge(content))).toEqual(REFUSED);
  });

  it("a cursor longer than any that the server gives out is refused", () => {
    expect(read(byKey(keys.key), forge([1, "key ASC", "a".repeat(100_000)]))).toEqual(REFUSED);
  });

  it("a cursor holds the longest keys there can be", () => {
    // The code point that folds to the most bytes.
    for (const name of ["\ufdfa".repeat(64), '"'.repeat(64), "\u{1d15e}".repeat(64)]) {
      const of = { id: crypto.randomUUID(), name: foldName(name) } as Row;
      const order: Ordering<Row> = [
        { key: keys.name, direction: "DESC" },
        { key: keys.id, direction: "DESC" },
      ];
      expect(read(order, cursorsOf(order)(of))).toEqual([of.name, of.id]);
    }
  });
});

await describeOnForms("what a cursor holds", USUAL_FORMS, (form) => {
  let test: TestDatabase;
  beforeAll(async () => {
    test = await openTestDatabase(form);
  });
  afterAll(() => test?.close());

  const digits = (count: number) =>
    fc.integer({ min: 0, max: 10 ** count - 1 }).map((value) => String(value).padStart(count, "0"));
  const dates = fc
    .tuple(
      digits(4),
      fc.integer({ min: 0, max: 13 }),
      fc.integer({ min: 0, max: 32 }),
      fc.integer({ min: 0, max: 25 }),
      fc.integer({ min: 58, max: 61 }),
    )
    .map(([year, ...rest]) => {
      const [month, day, hour, second] = rest.map((value) => String(value).padStart(2, "0"));
      return `${year}-${month}-${day}T${hour}:59:${second}.000Z`;
    });
  const candidates: [OrderKey<Row>, fc.Arbitrary<string>][] = [
    [
      keys.at,
      fc.oneof(
        dates,
        fc.constantFrom(
          "2026-02-29T00:00:00.000Z",
          "2026-02-30T00:00:00.000Z",
          "2026-04-31T00:00:00.000Z",
          "2024-02-29T00:00:00.000Z",
          "2026-01-01T24:00:00.000Z",
          "0000-01-01T00:00:00.000Z",
          "2026-01-01T00:00:60.000Z",
          "infinity",
          "now",
        ),
      ),
    ],
    [
      keys.id,
      fc.oneof(
        fc.uuid(),
        fc.uuid().map((id) => id.toUpperCase()),
        fc.constant("00000000-0000-0000-0000-000000000000"),
        fc.string(),
      ),
    ],
    [
      keys.amount,
      fc.constantFrom(
        "0",
        "-1.5",
        "1.005",
        "999999999999999.99",
        "1e5",
        "NaN",
        "Infinity",
        "",
        ".5",
        "٣",
        "1.",
      ),
    ],
    [keys.count, fc.constantFrom("0", "-999999999999999", "9223372036854775808", "1.5", "", "0x10")],
    [keys.key, fc.string({ unit: "binary" })],
  ];
  it.each(candidates.map(([key, values]) => [key.type, key, values] as const))(
    "PostgreSQL reads every %s that a cursor may hold",
    async (type, key, values) => {
      await fc.assert(
        fc.asyncProperty(values, async (value) => {
          const read_ = read(byKey(key), forge([1, `${key.name} ASC`, value]));
          if ("refused" in read_) return;
          await test.pool.query(`select $1::${type}`, read_);
        }),
        { numRuns: 150 },
      );
    },
  );
});

import { afterAll, beforeAll, expect, test } from "vitest";
import type { Database, UnitOfWork } from "../../src/database/database.js";
import { failureOf } from "../../src/database/failures.js";
import type { NamedStatement } from "../../src/database/statement.js";
import { OutsideTransactionError } from "../../src/database/transactionGuard.js";
import { ALL_FORMS, describeOnForms, openTestDatabase, type TestDatabase } from "../support/databases.js";
import { testStatement } from "../support/statement.js";

const VALUES = testStatement`
  select 7::int as int4, 1234567890123::bigint as int8, 12.50::numeric as amount, true as flag, 'a'::text as words,
    null::text as nothing, 0.5::float8 as real, '2026-11-21 18:58:00.5+00'::timestamptz as instant,
    '2026-11-21'::date as day, '{"a": [1]}'::json as document, '\\x00ff'::bytea as bytes,
    array['01890000-0000-7000-8000-000000000001']::uuid[] as ids, array['x', null]::text[] as texts,
    array[1, 2]::int[] as numbers, '{}'::uuid[] as no_ids`;

const DECODED = {
  int4: 7,
  int8: 1_234_567_890_123,
  amount: "12.50",
  flag: true,
  words: "a",
  nothing: null,
  real: 0.5,
  instant: "2026-11-21T18:58:00.500Z",
  document: { a: [1] },
  bytes: Buffer.from([0, 255]),
  ids: ["01890000-0000-7000-8000-000000000001"],
  texts: ["x", null],
  numbers: [1, 2],
  no_ids: [],
};

await describeOnForms("a unit of work", ALL_FORMS, (form) => {
  let open: TestDatabase;
  let database: Database;
  beforeAll(async () => {
    open = await openTestDatabase(form);
    ({ database } = open);
  });
  afterAll(() => open.close());

  const queryInUnit = <Row>(statement: NamedStatement): Promise<Row[]> =>
    database.transaction((unit) => unit.query<Row>(statement));

  test("a unit of work decodes every type of a row as the database does outside of it", async () => {
    const rows = await queryInUnit(VALUES);
    expect(rows).toEqual([expect.objectContaining(DECODED)]);
    expect(rows).toEqual(await database.query(VALUES));
  });

  test("a unit of work takes values as the database does outside of it", async () => {
    const statement = testStatement`
      select ${12}::int as number, ${"12.50"}::numeric as amount, ${["a", "b"]}::text[] as texts,
        ${Buffer.from("b")}::bytea as bytes, ${null}::text as nothing, ${new Date(0)}::timestamptz as instant`;
    const rows = await queryInUnit(statement);
    expect(rows).toEqual(await database.query(statement));
    expect(rows).toMatchObject([{ amount: "12.50", texts: ["a", "b"], instant: "1970-01-01T00:00:00.000Z" }]);
  });

  test("queries of a unit of work that run at once each get their own rows", async () => {
    const numbers = Array.from({ length: 20 }, (_, index) => index);
    const rows = await database.transaction((unit) =>
      Promise.all(numbers.map((number) => unit.query(testStatement`select ${number}::int as number`))),
    );
    expect(rows).toEqual(numbers.map((number) => [{ number }]));
  });

  test("a query of a unit of work sees what the unit wrote, and its failure undoes all of it", async () => {
    const name = `written ${crypto.randomUUID()}`;
    const insert = async (unit: UnitOfWork) => {
      await unit.prisma.tagType.create({
        data: { id: crypto.randomUUID(), name, nameKey: name, createdAt: new Date() },
      });
      expect(await unit.query(testStatement`select name from tag_type where name = ${name}`)).toEqual([
        { name },
      ]);
    };
    const failed = database.transaction(async (unit) => {
      await insert(unit);
      await unit.query(
        testStatement`insert into tag_type select gen_random_uuid(), name, name_key, now() from tag_type`,
      );
    });
    await expect(failed).rejects.toSatisfy((error) => failureOf(error).kind === "uniqueViolation");
    expect(await database.query(testStatement`select name from tag_type where name = ${name}`)).toEqual([]);
  });

  test("a query after the end of its unit of work is refused", async () => {
    const ended = await database.transaction(async (unit) => unit);
    await expect(ended.query(testStatement`select 1`)).rejects.toThrow();
  });

  test("a statement of a unit of work is reported once, with its own name and text", async () => {
    open.statements.length = 0;
    await queryInUnit(testStatement`select ${1}::int as one`);
    const reported = open.statements.filter(({ text }) => text.startsWith("select"));
    expect(reported).toMatchObject([{ name: "test", text: "select /* test */ $1::int as one" }]);
  });

  const misuses: Record<string, (database: Database) => unknown> = {
    query: ({ query }) => query(testStatement`select 1`),
    "a reader's query": (used) =>
      used
        .forReader({ key: "reader", client: null, refusal: () => new Error("Refused.") })
        .query(testStatement`select 1`),
    prisma: ({ prisma }) => prisma.tagType.count(),
    "another transaction": (used) => used.transaction(async () => {}),
    "a long list": (used) =>
      used.read({ count: testStatement`select 1 as count`, rows: testStatement`select 1` } as never, 1),
    "a snapshot": (used) => used.snapshot(async () => {}),
    maintenance: (used) => used.maintenance("write", async () => {}),
  };

  test.each(Object.entries(misuses))("inside a transaction the database throws for %s", async (_, misuse) => {
    const working = database.transaction(async () => {
      await Promise.resolve();
      await misuse(database);
    });
    await expect(working).rejects.toThrow(OutsideTransactionError);
    const reading = database.snapshot(async () => {
      await misuse(database);
    });
    await expect(reading).rejects.toThrow(OutsideTransactionError);
  });

  test("other work uses the database while a transaction is open, and so does what a transaction leaves running", async () => {
    const beside: Promise<unknown>[] = [];
    let after = () => {};
    const ended = new Promise<void>((resolve) => {
      after = resolve;
    });
    const left: Promise<unknown>[] = [];
    await Promise.all([
      database.transaction(async (unit) => {
        left.push(ended.then(() => database.query(testStatement`select 1 as one`)));
        await unit.query(testStatement`select 1`);
      }),
      beside.push(database.query(testStatement`select 1`), database.prisma.tagType.count()),
    ]);
    after();
    expect(await Promise.all(left)).toEqual([[{ one: 1 }]]);
    await Promise.all(beside);
  });
});

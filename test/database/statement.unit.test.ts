import sql, { empty } from "sql-template-tag";
import { describe, expect, it } from "vitest";
import type { Database } from "../../src/database/database.js";
import { statement } from "../../src/database/statement.js";
import { nameFromText, runReported, type StatementEvent } from "../../src/database/statementEvents.js";

const lookUp = (id: string, condition = sql`true`) => statement("tag_by_id")`
  select id from tag where id = ${id} and ${condition}`;

describe("a named statement", () => {
  it("has its name in a comment behind the first keyword", () => {
    const { text, values } = lookUp("7", sql`name = ${"YouTube"}`);
    expect(text.trim()).toBe("select /* tag_by_id */ id from tag where id = $1 and name = $2");
    expect(values).toEqual(["7", "YouTube"]);
    expect(statement("tag_unlock")`commit`.text).toBe("commit /* tag_unlock */");
  });

  it("keeps its name and its comment for each run and each variant", () => {
    const texts = [lookUp("1"), lookUp("2"), lookUp("3", sql`name = 'x'`)].map(({ text }) => text.trim());
    expect(texts[1]).toBe(texts[0]);
    expect(texts[2]).toBe("select /* tag_by_id */ id from tag where id = $1 and name = 'x'");
  });

  it("shares a template with statements of other names", () => {
    const count = (name: string) => statement(name)`select count(*) from tag`.text;
    expect([count("tags_count"), count("types_count"), count("tags_count")]).toEqual([
      "select /* tags_count */ count(*) from tag",
      "select /* types_count */ count(*) from tag",
      "select /* tags_count */ count(*) from tag",
    ]);
  });

  it("may begin with a part of another text", () => {
    const count = (prefix: typeof empty) => statement("tags_count")`${prefix} select count(*) from tag`.text;
    expect(count(empty)).toBe(" select /* tags_count */ count(*) from tag");
    expect(count(sql`with one as (select ${1})`)).toBe(
      "with /* tags_count */ one as (select $1) select count(*) from tag",
    );
    expect(count(empty)).toBe(" select /* tags_count */ count(*) from tag");
  });

  it("is the only kind of statement that a database runs", () => {
    // @ts-expect-error A statement without a name does not compile.
    const run = (database: Database) => database.query(sql`select 1`);
    expect(run).toBeTypeOf("function");
  });

  it("begins with a keyword", () => {
    expect(() => statement("tags_count")`(select 1)`).toThrow("tags_count does not begin with a keyword");
  });
});

describe("the name in the report of a statement that went through Prisma", () => {
  it.each([
    [lookUp("1").text, "tag_by_id"],
    ['SELECT "public"."tag"."id" FROM "public"."tag" WHERE 1=1', "prisma_select_tag"],
    ['INSERT INTO "my schema"."api_token" ("id") VALUES ($1)', "prisma_insert_api_token"],
    ['UPDATE "public"."tag" SET "name" = $1 WHERE 1=1', "prisma_update_tag"],
    ['DELETE FROM "public"."tag" WHERE 1=1', "prisma_delete_tag"],
    ["COMMIT", "prisma_commit"],
    ["", "prisma_statement"],
  ])("of %s is %s", (text, name) => {
    expect(nameFromText(text)).toBe(name);
  });
});

describe("a statement that runs", () => {
  it("is reported by its name when it has ended, with the code of its error, which has the name as well", async () => {
    const events: StatementEvent[] = [];
    const run = (work: () => Promise<number>) =>
      runReported((event) => events.push(event), { name: "tag_by_id", text: "select 1" }, work);
    expect(await run(async () => 5)).toBe(5);
    const failure = new Error("no");
    await expect(run(() => Promise.reject(failure))).rejects.toBe(failure);
    expect(failure).toMatchObject({ statement: "tag_by_id" });
    const event = { name: "tag_by_id", text: "select 1", milliseconds: expect.any(Number) };
    expect(events).toEqual([
      { ...event, failure: null },
      { ...event, failure: "unknown" },
    ]);
  });
});

import { readdirSync, readFileSync } from "node:fs";
import { PGlite } from "@electric-sql/pglite";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

const MIGRATIONS = new URL("../../prisma/migrations/", import.meta.url);
const NAMES = readdirSync(MIGRATIONS)
  .filter((name) => /^\d{14}_/.test(name))
  .sort();

/**
 * What released migrations do to tables that may be large, or that servers of the version before write. docs/versions.md says
 * how long they take. No migration may be added here: docs/versions.md says how a new one does the same step by step.
 */
const RELEASED: Readonly<Record<string, readonly string[]>> = {
  "20261122110000_tagged_at": [
    "adds invite_link_tag.created_at, which must not be null and has no default",
    "builds invite_link_id_created_at_key on invite_link",
    "builds invite_link_tag_channel_id_type_id_created_at_link_id_idx on invite_link_tag",
    "builds invite_link_tag_tag_id_created_at_link_id_idx on invite_link_tag",
    "checks invite_link_tag_link_id_created_at_fkey on all rows of invite_link_tag",
  ],
  "20261122120000_tags_version": ["rewrites channel"],
  "20261127000000_members": ["builds invite_link_channel_id_external_id_key on invite_link"],
  "20261127010000_link_addresses": [
    "builds invite_link_channel_id_url_key on invite_link",
    "changes invite_link.url",
  ],
  "20261127020000_audit_transactions": [
    "builds audit_entry_channel_id_transaction_id_idx on audit_entry",
    "builds audit_entry_migrations_idx on audit_entry",
  ],
  "20261129030000_pending_join_requests": ["builds join_request_pending_idx on join_request"],
  "20261129100000_merged_channels": ["builds audit_entry_merged_idx on audit_entry"],
  "20261130100000_audit_entry_lists": [
    "builds audit_entry_action_at_id_idx on audit_entry",
    "builds audit_entry_all_idx on audit_entry",
    "builds audit_entry_caller_at_id_idx on audit_entry",
    "builds audit_entry_channel_id_at_id_idx on audit_entry",
  ],
  "20261130110000_audit_entry_creators": ["builds audit_entry_creators_idx on audit_entry"],
};

/** What holds up or breaks servers of the version before, by tables that existed before the migration. */
const DANGERS = `
  select 'removes ' || name from was_table
  where not exists (select from pg_class c where c.oid = was_table.oid and c.relname = name)
  union all
  select 'rewrites ' || name from was_table join pg_class c using (oid) where c.relfilenode <> file
  union all
  select 'builds ' || c.relname || ' on ' || was_table.name
  from pg_index join pg_class c on c.oid = indexrelid join was_table on was_table.oid = indrelid
  where indexrelid not in (select oid from was_index)
  union all
  select 'checks ' || conname || ' on all rows of ' || was_table.name
  from pg_constraint k join was_table on was_table.oid = conrelid
  where contype in ('f', 'c') and convalidated and k.oid not in (select oid from was_constraint)
  union all
  select 'adds ' || was_table.name || '.' || attname || ', which must not be null and has no default'
  from pg_attribute a join was_table on was_table.oid = attrelid
  where attnum > 0 and not attisdropped and attnotnull and not atthasdef
    and not exists (select from was_column w where w.attrelid = a.attrelid and w.attnum = a.attnum)
  union all
  select case when a.attisdropped then 'removes ' else 'changes ' end || was_table.name || '.' || w.attname
  from was_column w join was_table on was_table.oid = w.attrelid
  join pg_attribute a on a.attrelid = w.attrelid and a.attnum = w.attnum
  where (a.attname, a.atttypid, a.atttypmod, a.attcollation, a.attisdropped, a.attnotnull and not w.attnotnull)
    is distinct from (w.attname, w.atttypid, w.atttypmod, w.attcollation, false, false)
  order by 1`;

const REMEMBER = `
  drop table if exists was_table, was_index, was_constraint, was_column;
  create temp table was_table as select oid, relname::text as name, relfilenode as file from pg_class
    where relkind = 'r' and relnamespace = 'public'::regnamespace;
  create temp table was_index as select indexrelid as oid from pg_index;
  create temp table was_constraint as select oid from pg_constraint;
  create temp table was_column as
    select attrelid, attnum, attname::text, atttypid, atttypmod, attcollation, attnotnull
    from pg_attribute where attnum > 0 and not attisdropped;`;

/** The first line of a migration that cannot run beside servers of the version before. */
const NEEDS_STOP = "-- Needs a stop";
const BUILDS_CONCURRENTLY = /^\s*create\s+(unique\s+)?index\s+concurrently\b/im;

/** Applies a migration. @returns what holds up or breaks servers of the version before */
async function dangersOf(database: PGlite, script: string): Promise<string[]> {
  await database.exec(REMEMBER);
  await database.exec(script);
  if (BUILDS_CONCURRENTLY.test(script) || script.startsWith(NEEDS_STOP)) return [];
  const { rows } = await database.query<string[]>(DANGERS, [], { rowMode: "array" });
  return rows.map(([danger]) => danger ?? "");
}

describe("a migration", () => {
  let database: PGlite;
  beforeAll(async () => {
    database = await PGlite.create();
  });
  beforeEach(() => database.exec("drop schema public cascade; create schema public"));
  afterAll(() => database.close());

  it("neither holds up nor breaks servers of the version before, if it is new", async () => {
    const found: Record<string, readonly string[]> = {};
    for (const name of NAMES) {
      const script = readFileSync(new URL(`${name}/migration.sql`, MIGRATIONS), "utf8");
      const dangers = await dangersOf(database, script);
      if (dangers.length > 0) found[name] = dangers;
    }
    expect(found).toEqual(RELEASED);
  });

  it("is found to hold up or break them by what it does", async () => {
    await database.exec(`
      create table big (id int primary key, name text not null, size int);
      create table other (id int primary key);`);
    const cases: readonly (readonly [script: string, dangers: readonly string[]])[] = [
      ["create table small (id int references big); create index on small (id);", []],
      ["alter table big add column note text, add column kind int not null default 1;", []],
      ["alter table big add constraint few check (size > 0) not valid;", []],
      ["create index concurrently big_name on big (name);", []],
      ["alter table big validate constraint few;", []],
      ["create index big_size on big (size);", ["builds big_size on big"]],
      ["alter table big add constraint more check (size > 1);", ["checks more on all rows of big"]],
      ["alter table big alter size set not null;", ["changes big.size"]],
      [
        "alter table big add made int; update big set made = 1; alter table big alter made set not null;",
        ["adds big.made, which must not be null and has no default"],
      ],
      ["alter table big add token uuid default gen_random_uuid();", ["rewrites big"]],
      ["alter table big rename note to notes;", ["changes big.note"]],
      ["alter table big drop notes;", ["removes big.notes"]],
      ["drop table other;", ["removes other"]],
      [`${NEEDS_STOP}: it is a test.\nalter table big drop kind;`, []],
    ];
    for (const [script, dangers] of cases) expect(await dangersOf(database, script), script).toEqual(dangers);
  });
});

import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { PrismaPg } from "@prisma/adapter-pg";
import {
  bindMigrationAwareSqlAdapterFactory,
  type SqlMigrationAwareDriverAdapterFactory,
} from "@prisma/driver-adapter-utils";
import * as bindings from "@prisma/schema-engine-wasm/schema_engine_bg";
import pg from "pg";
import { raw } from "sql-template-tag";
import { statement } from "./statement.js";

const PRISMA_FOLDER = new URL("../../prisma/", import.meta.url);
const NO_FILTERS: bindings.SchemaFilter = { externalTables: [], externalEnums: [] };

/** Reads prisma/migrations in the form that Prisma's engine expects. */
export async function readMigrations(): Promise<bindings.MigrationList> {
  const folder = new URL("migrations/", PRISMA_FOLDER);
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
  return {
    baseDir: "prisma/migrations",
    lockfile: {
      path: "migration_lock.toml",
      content: await readFile(new URL("migration_lock.toml", folder), "utf8"),
    },
    shadowDbInitScript: "",
    migrationDirectories: await Promise.all(
      names.map(async (path) => ({
        path,
        migrationFile: {
          path: "migration.sql",
          content: {
            tag: "ok" as const,
            value: await readFile(new URL(`${path}/migration.sql`, folder), "utf8"),
          },
        },
      })),
    ),
  };
}

/** The engine's imports. Its timers are unref'd, because the engine never clears the time limit of its lock. */
function imports(): Record<string, unknown> {
  const all: Record<string, unknown> = { ...bindings };
  for (const [name, binding] of Object.entries(all)) {
    if (!name.startsWith("__wbg_setTimeout_")) continue;
    all[name] = (...args: unknown[]) => (binding as (...args: unknown[]) => NodeJS.Timeout)(...args).unref();
  }
  return all;
}

let instantiated: Promise<void> | undefined;

/** Loads the .wasm file, which the package imports as a module. Node.js supports that only with a flag. */
async function instantiate(): Promise<void> {
  const script = createRequire(import.meta.url).resolve("@prisma/schema-engine-wasm/schema_engine_bg");
  const binary = await readFile(script.replace(/\.js$/, ".wasm"));
  const { instance } = await WebAssembly.instantiate(binary, { "./schema_engine_bg.js": imports() });
  bindings.__wbg_set_wasm(instance.exports);
  (instance.exports["__wbindgen_start"] as () => void)();
}

/** Opens the engine behind `prisma migrate` over a driver adapter. */
async function openSchemaEngine(
  adapter: SqlMigrationAwareDriverAdapterFactory,
): Promise<bindings.SchemaEngine> {
  instantiated ??= instantiate();
  await instantiated;
  return bindings.SchemaEngine.new(
    { datamodels: undefined },
    () => {},
    bindMigrationAwareSqlAdapterFactory(adapter),
  );
}

/** Runs a script as a whole. Prisma's adapter splits scripts at every semicolon, even in strings and function bodies. */
class ScriptKeepingAdapter extends PrismaPg {
  readonly #pool: pg.Pool;

  constructor(pool: pg.Pool, schema: string) {
    super(pool, { schema });
    this.#pool = pool;
  }

  override async connect() {
    const connection = await super.connect();
    connection.executeScript = async (script) => {
      await this.#pool.query(script);
    };
    return connection;
  }
}

/** Whether Prisma's table lists every migration as finished and unchanged. This is so at most starts. */
async function upToDate(pool: pg.Pool, migrations: bindings.MigrationList, schema: string): Promise<boolean> {
  const { text, values } = statement("migrations_have_table")`
    select to_regclass(format('%I._prisma_migrations', ${schema}::text)) is not null as "exists"`;
  const exists = await pool.query(text, values);
  if (exists.rows[0]?.exists !== true) return false;
  const applied = await pool.query<{ migration_name: string; checksum: string }>(
    statement("migrations_applied")`
      select migration_name, checksum from ${raw(pg.escapeIdentifier(schema))}._prisma_migrations
      where finished_at is not null and rolled_back_at is null`.text,
  );
  const checksums = new Map(applied.rows.map((row) => [row.migration_name, row.checksum]));
  return migrations.migrationDirectories.every(({ path, migrationFile }) => {
    const { content } = migrationFile;
    if (content.tag !== "ok") return false;
    return checksums.get(path) === createHash("sha256").update(content.value).digest("hex");
  });
}

/**
 * Applies pending migrations as `prisma migrate deploy` does: with the same engine, table and lock. The lock is
 * PostgreSQL's advisory lock 72707369, so that each migration is applied once even if several replicas start together.
 * @param pool must be ended afterwards or have one session, because a session holds the lock. Its sessions have `schema`
 *   on their search path.
 * @param beforeApplying runs only if a migration is pending.
 * @returns the names of the migrations that were applied now.
 */
export async function applyMigrations(
  pool: pg.Pool,
  schema = "public",
  beforeApplying: () => Promise<void> = async () => {},
): Promise<string[]> {
  const migrationsList = await readMigrations();
  if (await upToDate(pool, migrationsList, schema)) return [];
  await beforeApplying();
  const engine = await openSchemaEngine(new ScriptKeepingAdapter(pool, schema));
  try {
    const { appliedMigrationNames } = await engine.applyMigrations({ migrationsList, filters: NO_FILTERS });
    return appliedMigrationNames;
  } finally {
    engine.free();
  }
}

/** @returns the SQL that the migrations lack to lead to schema.prisma; empty if they lack none. */
export async function migrationDrift(adapter: SqlMigrationAwareDriverAdapterFactory): Promise<string> {
  const engine = await openSchemaEngine(adapter);
  const content = await readFile(new URL("schema.prisma", PRISMA_FOLDER), "utf8");
  const { stdout, exitCode } = await engine.diff({
    from: { tag: "migrations", ...(await readMigrations()) },
    to: { tag: "schemaDatamodel", files: [{ path: "prisma/schema.prisma", content }] },
    script: true,
    exitCode: true,
    filters: NO_FILTERS,
  });
  return exitCode === 0 ? "" : (stdout ?? "");
}

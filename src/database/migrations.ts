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

const PRISMA_FOLDER = new URL("../../prisma/", import.meta.url);
const NO_FILTERS: bindings.SchemaFilter = { externalTables: [], externalEnums: [] };

/** The migrations of prisma/migrations, as Prisma's engine takes them. */
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

/** What the engine calls; it never clears the timer of its lock's time limit, for which no process shall be kept. */
function imports(): Record<string, unknown> {
  const all: Record<string, unknown> = { ...bindings };
  for (const [name, binding] of Object.entries(all)) {
    if (!name.startsWith("__wbg_setTimeout_")) continue;
    all[name] = (...args: unknown[]) => (binding as (...args: unknown[]) => NodeJS.Timeout)(...args).unref();
  }
  return all;
}

let instantiated: Promise<void> | undefined;

/** The package imports its .wasm file as a module, which Node.js does not do unasked. */
async function instantiate(): Promise<void> {
  const script = createRequire(import.meta.url).resolve("@prisma/schema-engine-wasm/schema_engine_bg");
  const binary = await readFile(script.replace(/\.js$/, ".wasm"));
  const { instance } = await WebAssembly.instantiate(binary, { "./schema_engine_bg.js": imports() });
  bindings.__wbg_set_wasm(instance.exports);
  (instance.exports["__wbindgen_start"] as () => void)();
}

/** Prisma's own schema engine, the one behind `prisma migrate`, over a driver adapter. */
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

/** Prisma's adapter splits a script at every semicolon, those in strings and function bodies too. */
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

/** The bookkeeping of the schema that is used, whatever other schemas there are. */
const BOOKS = "to_regclass(format('%I._prisma_migrations', $1::text))";

/** Whether every migration stands in Prisma's bookkeeping as finished and unchanged: the usual start. */
async function upToDate(pool: pg.Pool, migrations: bindings.MigrationList, schema: string): Promise<boolean> {
  const known = await pool.query(`select ${BOOKS} is not null as known`, [schema]);
  if (known.rows[0]?.known !== true) return false;
  const applied = await pool.query<{ migration_name: string; checksum: string }>(
    `select migration_name, checksum from ${pg.escapeIdentifier(schema)}._prisma_migrations
     where finished_at is not null and rolled_back_at is null`,
  );
  const checksums = new Map(applied.rows.map((row) => [row.migration_name, row.checksum]));
  return migrations.migrationDirectories.every(({ path, migrationFile }) => {
    const { content } = migrationFile;
    if (content.tag !== "ok") return false;
    return checksums.get(path) === createHash("sha256").update(content.value).digest("hex");
  });
}

/**
 * Applies what prisma/migrations has and the database has not, as `prisma migrate deploy` does: the same engine,
 * bookkeeping table and lock (PostgreSQL's advisory lock 72707369, so that however many replicas start together, or
 * somebody deploys by hand, each migration is applied once). The pool must be one that is ended afterwards or has
 * one session, since the lock is held by the session; its sessions have `schema` on their search path.
 * @param beforeApplying runs only where something is to be applied.
 * @returns the names of those applied now.
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

/** The SQL that leads from what the migrations build to schema.prisma; empty where the two agree. */
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

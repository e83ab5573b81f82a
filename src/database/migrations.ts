import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { setTimeout as delay } from "node:timers/promises";
import { PrismaPg } from "@prisma/adapter-pg";
import {
  bindMigrationAwareSqlAdapterFactory,
  type SqlMigrationAwareDriverAdapterFactory,
} from "@prisma/driver-adapter-utils";
import * as bindings from "@prisma/schema-engine-wasm/schema_engine_bg";
import pg from "pg";
import { raw } from "sql-template-tag";
import { isLockConflict, LOCK_TIMEOUT_MS } from "./lockConflicts.js";
import { rollBack } from "./session.js";
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

/** Called with a sentence for the operator, from time to time while migrations cannot go on. */
export type OnWait = (message: string) => void;

/** How often `OnWait` is called, in milliseconds. */
const REPORT_INTERVAL_MS = 10_000;

/** Makes an OnWait that passes on the first message and then one in REPORT_INTERVAL_MS. */
function limitReports(onWait: OnWait): (messageOf: () => string | Promise<string>) => Promise<void> {
  let reportAt = 0;
  return async (messageOf) => {
    if (performance.now() < reportAt) return;
    reportAt = performance.now() + REPORT_INTERVAL_MS;
    onWait(await messageOf());
  };
}

/** The pause after a migration gave up a lock, in milliseconds. Statements that waited for the same lock run meanwhile. */
const PAUSE_MS = 500;

/** PostgreSQL builds such an index, whose name is found, in several transactions and without blocking writers. */
const CONCURRENT_INDEX =
  /^\s*create\s+(?:unique\s+)?index\s+concurrently\s+(?:if\s+not\s+exists\s+)?"?(\w+)/i;

const withoutComments = (script: string): string => script.replace(/--.*$/gm, "");

/** Prisma's table of applied migrations in a schema, as SQL. */
const migrationsTableIn = (schema: string): string => `${pg.escapeIdentifier(schema)}._prisma_migrations`;

/** A migration that is being applied, or that a server began to apply and did not finish. */
const UNFINISHED = "finished_at is null and rolled_back_at is null";

/**
 * Runs each migration in one transaction, together with its entry in Prisma's table, so that a crash leaves both or nothing.
 *
 * Other statements queue behind a migration that waits for a table. So it waits no longer than LOCK_TIMEOUT_MS for each lock,
 * rolls back, lets the others go first and begins again, as often as necessary: a long export delays the migration, and the
 * migration delays nobody.
 */
class MigratingAdapter extends PrismaPg {
  readonly #pool: pg.Pool;
  readonly #schema: string;
  readonly #report: ReturnType<typeof limitReports>;
  /** Why a migration failed. The engine replaces the error by one of its own, without the message. */
  failure: Error | undefined;

  constructor(pool: pg.Pool, schema: string, report: ReturnType<typeof limitReports>) {
    super(pool, { schema });
    this.#pool = pool;
    this.#schema = schema;
    this.#report = report;
  }

  override async connect() {
    const connection = await super.connect();
    // Prisma's own splits scripts at every semicolon, even in strings and function bodies.
    connection.executeScript = (script) => this.#runScript(script);
    return connection;
  }

  async #runScript(script: string): Promise<void> {
    const [, index] = CONCURRENT_INDEX.exec(withoutComments(script)) ?? [];
    for (;;) {
      try {
        await (index === undefined ? this.#runInTransaction(script) : this.#buildIndex(index, script));
        return;
      } catch (error) {
        if (!isLockConflict(error)) {
          this.failure = error as Error;
          throw error;
        }
        await this.#report(() => this.#lockMessage());
        await delay(PAUSE_MS);
      }
    }
  }

  async #runInTransaction(script: string): Promise<void> {
    // The pool's own query() would close the session after an error, and so release the lock of the migrations.
    const session = await this.#pool.connect();
    try {
      await session.query(`begin; set local lock_timeout = ${LOCK_TIMEOUT_MS}`);
      await session.query(script);
      await session.query(
        `update ${migrationsTableIn(this.#schema)} set finished_at = now() where ${UNFINISHED}; commit`,
      );
      session.release();
    } catch (error) {
      await rollBack(session, error);
      throw error;
    }
  }

  /**
   * Builds an index beside writers. An interrupted build leaves an index that is not valid, which is dropped first. A server
   * that died right after its build leaves a valid index, which is not built again.
   */
  async #buildIndex(index: string, script: string): Promise<void> {
    const name = `${pg.escapeIdentifier(this.#schema)}.${pg.escapeIdentifier(index)}`;
    const session = await this.#pool.connect();
    try {
      const { text, values } = statement("migrations_built_index")`
        select indisvalid as "isValid" from pg_index where indexrelid = to_regclass(${name}::text)`;
      const {
        rows: [built],
      } = await session.query<{ isValid: boolean }>(text, values);
      if (built?.isValid) return;
      if (built) await session.query(`drop index concurrently ${name}`);
      await session.query(script);
    } finally {
      session.release();
    }
  }

  /** Names the sessions with the oldest transactions, one of which holds the lock. */
  async #lockMessage(): Promise<string> {
    const { rows } = await this.#pool.query<{ name: string; pid: number; seconds: number }>(
      statement("migrations_lock_holders")`
        select coalesce(nullif(application_name, ''), 'a session') as name, pid,
         extract(epoch from clock_timestamp() - xact_start)::int as seconds
       from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null
       order by xact_start limit 3`.text,
    );
    const sessions = rows.map(({ name, pid, seconds }) => `${name} (process ${pid}, ${seconds} s)`);
    const named = sessions.length === 0 ? "" : ` The oldest transactions are of ${sessions.join(", ")}.`;
    return `A migration waits until other transactions release a table.${named}`;
  }
}

async function hasMigrationsTable(pool: pg.Pool, schema: string): Promise<boolean> {
  const { text, values } = statement("migrations_have_table")`
    select to_regclass(${migrationsTableIn(schema)}::text) is not null as "exists"`;
  const { rows } = await pool.query(text, values);
  return rows[0]?.exists === true;
}

/** Whether Prisma's table lists every migration as finished and unchanged. This is so at most starts. */
async function upToDate(pool: pg.Pool, migrations: bindings.MigrationList, schema: string): Promise<boolean> {
  if (!(await hasMigrationsTable(pool, schema))) return false;
  const applied = await pool.query<{ migration_name: string; checksum: string }>(
    statement("migrations_applied")`
      select migration_name, checksum from ${raw(migrationsTableIn(schema))}
      where finished_at is not null and rolled_back_at is null`.text,
  );
  const checksums = new Map(applied.rows.map((row) => [row.migration_name, row.checksum]));
  return migrations.migrationDirectories.every(({ path, migrationFile }) => {
    const { content } = migrationFile;
    if (content.tag !== "ok") return false;
    return checksums.get(path) === createHash("sha256").update(content.value).digest("hex");
  });
}

/** The number of PostgreSQL's advisory lock that `prisma migrate` takes. */
const PRISMA_LOCK = 72_707_369;
/** The pause between two tries to get the lock, in milliseconds. */
const LOCK_PAUSE_MS = 200;

/**
 * Waits for the lock, however long another server's migrations take; the engine itself would give up after ten seconds. A
 * statement that waited in PostgreSQL would hold a snapshot, for which the build of an index would wait in turn.
 */
async function lockMigrations(pool: pg.Pool, report: ReturnType<typeof limitReports>): Promise<void> {
  for (;;) {
    const { text, values } = statement("migrations_lock")`
      select pg_try_advisory_lock(${PRISMA_LOCK}::bigint) as locked`;
    const { rows } = await pool.query(text, values);
    if (rows[0]?.locked === true) return;
    await report(() => "Another server applies migrations. This server waits until it has finished.");
    await delay(LOCK_PAUSE_MS);
  }
}

/** Lets migrations run again that failed or whose server was killed. PostgreSQL has rolled them back as a whole. */
async function forgetUnfinished(pool: pg.Pool, schema: string): Promise<void> {
  if (!(await hasMigrationsTable(pool, schema))) return;
  const { text } = statement("migrations_forget_unfinished")`
    update ${raw(migrationsTableIn(schema))} set rolled_back_at = now() where ${raw(UNFINISHED)}`;
  await pool.query(text);
}

export interface MigrationOptions {
  readonly schema?: string;
  readonly prepare?: () => Promise<void>;
  readonly onWait?: OnWait;
}

/**
 * Applies pending migrations as `prisma migrate deploy` does: with the same engine, table and lock. The lock is
 * PostgreSQL's advisory lock 72707369, so that each migration is applied once even if several replicas start together.
 * @param pool must have one session, which holds the lock until it ends. Its sessions have the schema on their search path.
 * @param prepare runs only if a migration is pending.
 * @returns the names of the migrations that were applied now.
 */
export async function applyMigrations(
  pool: pg.Pool,
  { schema = "public", prepare, onWait = () => {} }: MigrationOptions = {},
): Promise<string[]> {
  const migrationsList = await readMigrations();
  if (await upToDate(pool, migrationsList, schema)) return [];
  await prepare?.();
  const report = limitReports(onWait);
  await lockMigrations(pool, report);
  if (await upToDate(pool, migrationsList, schema)) return [];
  await forgetUnfinished(pool, schema);
  const adapter = new MigratingAdapter(pool, schema, report);
  const engine = await openSchemaEngine(adapter);
  try {
    const { appliedMigrationNames } = await engine.applyMigrations({ migrationsList, filters: NO_FILTERS });
    return appliedMigrationNames;
  } catch (error) {
    const { failure: cause } = adapter;
    if (cause === undefined) throw error;
    const [, name] = /migration_name="([^"]+)"/.exec((error as Error).message) ?? [];
    throw new Error(`The migration ${name ?? "that was to be applied"} failed: ${cause.message}`, { cause });
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

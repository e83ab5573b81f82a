import type pg from "pg";

/** Between two looks at the sizes of tables, in milliseconds. */
const LOOK_EVERY_MS = 60_000;

/** A tenth of PostgreSQL's default, so that one table takes milliseconds: requests wait meanwhile. */
const STATISTICS_TARGET = 10;

/**
 * The tables that have at least doubled since their statistics were gathered. Small tables are left out, since any plan suits
 * them. PGlite does not count changed rows reliably, so the size decides.
 */
const GROWN = `
  select c.oid::regclass::text as name from pg_class c
  where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r'
    and pg_relation_size(c.oid) / current_setting('block_size')::int >= 8 + 2 * c.relpages
  order by c.oid`;

/**
 * Gathers the planner's statistics of the tables that have grown. A PostgreSQL server does so by itself (autovacuum); the
 * embedded database has no process that could.
 * @returns the names of these tables
 */
export async function analyzeGrownTables(pool: Pick<pg.Pool, "query">): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>(GROWN);
  for (const { name } of rows)
    await pool.query(`set local default_statistics_target = ${STATISTICS_TARGET}; analyze ${name}`);
  return rows.map(({ name }) => name);
}

/**
 * Gathers the statistics of grown tables, now and every minute.
 * @param onError takes errors of statements
 * @returns a function that ends this
 */
export async function keepTablesAnalyzed(
  pool: Pick<pg.Pool, "query">,
  onError: (error: Error) => void,
): Promise<() => Promise<void>> {
  const look = () => analyzeGrownTables(pool).catch(onError);
  await look();
  let running: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    running = look();
  }, LOOK_EVERY_MS).unref();
  return async () => {
    clearInterval(timer);
    await running;
  };
}

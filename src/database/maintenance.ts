import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import type { Sql } from "sql-template-tag";

/** SQL by hand in one transaction; values come as from Database.query. */
export interface MaintenanceSession {
  query<Row>(statement: Sql): Promise<Row[]>;
}

/**
 * - snapshot: reads the database as it stands at one moment, and keeps nobody from writing.
 * - write: begun again where another transaction is in the way.
 */
export type MaintenanceMode = "snapshot" | "write";

const BEGIN: Readonly<Record<MaintenanceMode, string>> = {
  snapshot: "begin isolation level repeatable read, read only",
  // Each statement sees what was committed while the locks before it were waited for.
  write: "begin isolation level read committed, read write",
};

/**
 * How long a transaction that writes waits for one lock. Whoever wants to write queues behind this wait, so it is
 * short, and below PostgreSQL's deadlock_timeout (1 s), so that no other transaction is ended for its sake.
 */
const LOCK_TIMEOUT_MS = 500;
/** The pauses between the tries are up to this long, in milliseconds. */
const MAX_PAUSE_MS = 1000;
const MAX_TRIES = 120;

/** A lock that was not had in time, a deadlock, a serialization failure: another try may succeed. */
const IN_THE_WAY: readonly unknown[] = ["55P03", "40P01", "40001"];

/** The longest time that a timer can have, in milliseconds: pg takes 0 for its pool's own limit. */
const NO_QUERY_TIMEOUT_MS = 2 ** 31 - 1;

async function runOnce<T>(
  pool: pg.Pool,
  mode: MaintenanceMode,
  work: (session: MaintenanceSession) => Promise<T>,
): Promise<T> {
  const session = await pool.connect();
  const query = async (text: string, values: unknown[] = []) => {
    const statement: pg.QueryConfig & { query_timeout: number } = {
      text,
      values,
      query_timeout: NO_QUERY_TIMEOUT_MS,
    };
    return (await session.query(statement)).rows;
  };
  try {
    await query(BEGIN[mode]);
    await query("set local statement_timeout = 0");
    if (mode === "write") await query(`set local lock_timeout = ${LOCK_TIMEOUT_MS}`);
    const result = await work({
      query: async <Row>({ text, values }: Sql) => (await query(text, values)) as Row[],
    });
    await query("commit");
    session.release();
    return result;
  } catch (error) {
    const isRolledBack = await query("rollback").then(
      () => true,
      () => false,
    );
    session.release(!isRolledBack);
    throw error;
  }
}

/** Runs one transaction of an operator's work, which no time limit of the server's requests ends. */
export async function runMaintenance<T>(
  pool: pg.Pool,
  mode: MaintenanceMode,
  work: (session: MaintenanceSession) => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await runOnce(pool, mode, work);
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (tries === MAX_TRIES || !IN_THE_WAY.includes(code)) throw error;
      await delay(Math.random() * MAX_PAUSE_MS);
    }
  }
}

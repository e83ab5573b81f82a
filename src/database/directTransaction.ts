import pg from "pg";
import type { Sql } from "sql-template-tag";
import type { StatementNames } from "./statementNames.js";

/**
 * A transaction of hand-written statements alone, for work that is so frequent that Prisma's part in a transaction would
 * cost more than the statements themselves.
 */
export interface DirectTransaction {
  /**
   * Runs a statement, which is prepared. The number of texts must be small and must not depend on callers. Values come as
   * from Database.query.
   */
  query<Row>(statement: Sql): Promise<Row[]>;
  /** Runs a statement that is rare, or whose text is not always the same. It is planned each time. */
  queryOnce<Row>(statement: Sql): Promise<Row[]>;
  /** Notifies the listeners of a channel at the commit. */
  notify(channel: string): void;
}

/**
 * All statements look rows up by their keys. A prepared statement is planned once, perhaps while its tables are empty, and
 * a plan that reads whole tables would then stay. Such plans are therefore never taken where an index can be used. The
 * costs that result would also make PostgreSQL compile statements, which takes longer than running them.
 */
const BEGIN = [
  "begin isolation level read committed, read write",
  "set local enable_seqscan = off",
  "set local enable_hashjoin = off",
  "set local enable_mergejoin = off",
  "set local plan_cache_mode = force_generic_plan",
  "set local jit = off",
].join("; ");

interface DirectSessions {
  readonly pool: pg.Pool;
  readonly names: StatementNames;
  readonly onStatement: (event: { readonly text: string; readonly milliseconds: number }) => void;
}

export async function runDirectTransaction<T>(
  { pool, names, onStatement }: DirectSessions,
  work: (transaction: DirectTransaction) => Promise<T>,
): Promise<T> {
  const session = await pool.connect();
  const notified = new Set<string>();
  const run = async <Row>({ text, values }: Sql, name: string | undefined): Promise<Row[]> => {
    const started = performance.now();
    const { rows } = await session.query(name === undefined ? { text, values } : { name, text, values });
    onStatement({ text, milliseconds: performance.now() - started });
    return rows as Row[];
  };
  try {
    await session.query(BEGIN);
    const result = await work({
      query: (statement) => run(statement, names.nameOf(statement.text)),
      queryOnce: (statement) => run(statement, undefined),
      notify: (channel) => notified.add(channel),
    });
    const notifications = [...notified].map((channel) => `notify ${pg.escapeIdentifier(channel)}; `);
    await session.query(`${notifications.join("")}commit`);
    session.release();
    return result;
  } catch (error) {
    // If the rollback fails, ending the session ends the transaction.
    const isRolledBack = await session.query("rollback").then(
      () => true,
      () => false,
    );
    session.release(!isRolledBack);
    throw error;
  }
}

import type pg from "pg";
import type { Sql } from "sql-template-tag";
import { liftTimeLimit } from "./session.js";

/** The database as it was at one moment. Values are decoded as by Database.query. */
export interface Snapshot {
  query<Row>(statement: Sql): Promise<Row[]>;
  /** Reads the rows on demand, `size` at a time. Only one such statement may be open. */
  portions<Row>(statement: Sql, size: number): AsyncGenerator<Row[]>;
}

function snapshotOf(session: pg.PoolClient): Snapshot {
  const query = async <Row>(text: string, values: unknown[] = []) =>
    (await session.query({ text, values })).rows as Row[];
  return {
    query: (statement) => query(statement.text, statement.values),
    async *portions<Row>(statement: Sql, size: number) {
      await query(`declare portions no scroll cursor for ${statement.text}`, statement.values);
      for (;;) {
        const rows = await query<Row>(`fetch forward ${size} from portions`);
        if (rows.length > 0) yield rows;
        if (rows.length < size) break;
      }
      await query("close portions");
    },
  };
}

/** Lets `work` read one snapshot. Occupies a session of the pool meanwhile. */
export async function readSnapshot<T>(pool: pg.Pool, work: (snapshot: Snapshot) => Promise<T>): Promise<T> {
  const session = await pool.connect();
  try {
    await session.query("begin isolation level repeatable read, read only");
    await liftTimeLimit(session);
    const result = await work(snapshotOf(session));
    await session.query("commit");
    session.release();
    return result;
  } catch (error) {
    // If the rollback fails, ending the session ends the transaction.
    const rolledBack = await session.query("rollback").then(
      () => true,
      () => false,
    );
    session.release(!rolledBack);
    throw error;
  }
}

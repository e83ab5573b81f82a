import type pg from "pg";
import { raw } from "sql-template-tag";
import { liftTimeLimit, rollBack } from "./session.js";
import { type NamedStatement, statement } from "./statement.js";
import { type OnStatement, runReported } from "./statementEvents.js";

/** The database as it was at one moment. Values are decoded as by Database.query. */
export interface Snapshot {
  query<Row>(statement: NamedStatement): Promise<Row[]>;
  /** Reads the rows on demand, `size` at a time. Only one such statement may be open. */
  portions<Row>(statement: NamedStatement, size: number): AsyncGenerator<Row[]>;
}

function snapshotOf(session: pg.PoolClient, onStatement: OnStatement): Snapshot {
  const query = async <Row>(one: NamedStatement): Promise<Row[]> => {
    const { text, values } = one;
    const { rows } = await runReported(onStatement, { name: one.statementName, text }, () =>
      session.query({ text, values }),
    );
    return rows as Row[];
  };
  return {
    query,
    async *portions<Row>(selected: NamedStatement, size: number) {
      // A cursor's statement and its portions share the name.
      const tag = statement(selected.statementName);
      await query(tag`declare portions no scroll cursor for ${selected}`);
      for (;;) {
        const rows = await query<Row>(tag`fetch forward ${raw(String(size))} from portions`);
        if (rows.length > 0) yield rows;
        if (rows.length < size) break;
      }
      await query(statement("snapshot_close")`close portions`);
    },
  };
}

interface SnapshotSessions {
  readonly pool: pg.Pool;
  readonly onStatement: OnStatement;
}

/** Lets `work` read one snapshot. Occupies a session of the pool meanwhile. */
export async function readSnapshot<T>(
  { pool, onStatement }: SnapshotSessions,
  work: (snapshot: Snapshot) => Promise<T>,
): Promise<T> {
  const session = await pool.connect();
  try {
    await session.query("begin isolation level repeatable read, read only");
    await liftTimeLimit(session);
    const result = await work(snapshotOf(session, onStatement));
    await session.query("commit");
    session.release();
    return result;
  } catch (error) {
    await rollBack(session, error);
    throw error;
  }
}

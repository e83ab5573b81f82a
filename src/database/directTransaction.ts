import pg from "pg";
import { rollBack } from "./session.js";
import type { NamedStatement } from "./statement.js";
import { type OnStatement, runReported } from "./statementEvents.js";
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
  query<Row>(statement: NamedStatement): Promise<Row[]>;
  /** Runs a statement that is rare, or whose text is not always the same. It is planned each time. */
  queryOnce<Row>(statement: NamedStatement): Promise<Row[]>;
  /** Notifies the listeners of a channel at the commit. */
  notify(channel: string): void;
}

/**
 * All statements look rows up by their keys, so that plans that read whole tables are never taken where an index can be
 * used. The costs that result would also make PostgreSQL compile statements, which takes longer than running them.
 */
const BEGIN = [
  "begin isolation level read committed, read write",
  "set local enable_seqscan = off",
  "set local enable_hashjoin = off",
  "set local enable_mergejoin = off",
  "set local plan_cache_mode = force_generic_plan",
  "set local jit = off",
].join("; ");

/**
 * A prepared statement is planned once, perhaps while its tables are empty. All indexes are equally good then, and the
 * wrong one would stay. So the statements are prepared anew after 4, 16, 64… transactions, when the tables have grown.
 */
export class PlanGeneration {
  #transactions = 0;

  /** Counts a transaction. @returns the number of the generation */
  next(): number {
    this.#transactions += 1;
    return Math.min(MAX_GENERATION, Math.floor(Math.log2(this.#transactions) / 2));
  }
}

/** After some 65,000 transactions. Each generation stays prepared in its sessions. */
const MAX_GENERATION = 8;

interface DirectSessions {
  readonly pool: pg.Pool;
  readonly names: StatementNames;
  readonly generation: PlanGeneration;
  readonly onStatement: OnStatement;
}

export async function runDirectTransaction<T>(
  { pool, names, generation, onStatement }: DirectSessions,
  work: (transaction: DirectTransaction) => Promise<T>,
): Promise<T> {
  const session = await pool.connect();
  const notified = new Set<string>();
  const suffix = `_${generation.next()}`;
  const run = async <Row>(statement: NamedStatement, prepared: string | undefined): Promise<Row[]> => {
    const { text, values } = statement;
    const name = statement.statementName;
    const { rows } = await runReported(onStatement, { name, text }, () =>
      session.query(prepared === undefined ? { text, values } : { name: prepared, text, values }),
    );
    return rows as Row[];
  };
  const runPrepared = async <Row>(statement: NamedStatement): Promise<Row[]> => {
    const name = names.nameOf(statement.statementName, statement.text);
    try {
      return await run<Row>(statement, name === undefined ? undefined : name + suffix);
    } catch (error) {
      // The transaction has failed and is repeated.
      names.renewAfter(error, statement.text, name);
      throw error;
    }
  };
  try {
    await session.query(BEGIN);
    const result = await work({
      query: runPrepared,
      queryOnce: (statement) => run(statement, undefined),
      notify: (channel) => notified.add(channel),
    });
    const notifications = [...notified].map((channel) => `notify ${pg.escapeIdentifier(channel)}; `);
    await session.query(`${notifications.join("")}commit`);
    session.release();
    return result;
  } catch (error) {
    await rollBack(session, error);
    throw error;
  }
}

import { setTimeout as delay } from "node:timers/promises";
import { type Counted, CursorReader, type CursorStatements, type OpenedList } from "./cursorReader.js";
import { type DirectTransaction, PlanGeneration, runDirectTransaction } from "./directTransaction.js";
import { failureOf } from "./failures.js";
import { FairShare, type Reader, shareOf } from "./fairShare.js";
import { type Prisma, PrismaClient } from "./generated/prisma/client.js";
import { type MaintenanceMode, type MaintenanceSession, runMaintenance } from "./maintenance.js";
import type { DatabasePool } from "./pools.js";
import { readSnapshot, type Snapshot } from "./snapshot.js";
import type { NamedStatement } from "./statement.js";
import { nameFromText, type OnStatement, reportFailure, runReported } from "./statementEvents.js";
import { StatementNames } from "./statementNames.js";
import { UnitQueries } from "./unitQueries.js";

/**
 * A transaction of Prisma and hand-written SQL. Its work must not use the database in any other way: the embedded database
 * has one session, and the transaction holds it. In development and tests such a use throws; see transactionGuard.ts.
 */
export interface UnitOfWork {
  readonly prisma: Prisma.TransactionClient;
  /** Runs hand-written SQL. @returns the number of rows that were changed or selected. */
  execute(statement: NamedStatement): Promise<number>;
  /** Runs hand-written SQL. Values are decoded as by Database.query. */
  query<Row>(statement: NamedStatement): Promise<Row[]>;
}

/**
 * How a frequent statement is used. Frequent statements only read. Each distinct text is prepared in every session and
 * stays there, so the number of texts must not depend on callers. A statement that is quick reads little for every
 * caller: other statements wait behind it.
 */
export type StatementUse = "frequent" | "frequent and quick";

export interface Database {
  readonly prisma: PrismaClient;
  /** Runs hand-written SQL. A bigint comes as a safe number, numeric as text, timestamptz as an Instant. */
  query<Row>(statement: NamedStatement, use?: StatementUse): Promise<Row[]>;
  /**
   * Runs `work` in one transaction. `work` is repeated from its beginning after a conflict with another transaction
   * (at COMMIT as well) and when a row is missing that it changes or refers to.
   */
  transaction<T>(work: (unit: UnitOfWork) => Promise<T>): Promise<T>;
  /** Runs `work` in one transaction of hand-written statements, and repeats it as `transaction` does. */
  directTransaction<T>(work: (transaction: DirectTransaction) => Promise<T>): Promise<T>;
  /**
   * Counts a long list and reads it with constant memory, both in one snapshot. The rows must be closed.
   * @param size rows of each portion.
   * @returns null while too many long lists are being read.
   */
  read<Row, Head extends Counted = Counted>(
    statements: CursorStatements,
    size: number,
  ): Promise<OpenedList<Row, Head> | null>;
  /**
   * The same database for one reader. Its reads by `query` and `read` get a fair share of the sessions: costly reads wait
   * for each other and leave sessions to other readers and to writes. A quick statement does not wait.
   */
  forReader(reader: Reader): Database;
  /** Reads one snapshot without a time limit. On the embedded database `work` occupies the only session meanwhile. */
  snapshot<T>(work: (snapshot: Snapshot) => Promise<T>): Promise<T>;
  /** Runs one transaction of an operator's command, without the time limits of requests. */
  maintenance<T>(mode: MaintenanceMode, work: (session: MaintenanceSession) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** PostgreSQL resolves a conflict of many transactions by ending one after another. */
const MAX_TRIES = 10;
/** A removed row stays missing, so that one repetition is enough for `work` to report it by its own error. */
const MAX_TRIES_WITHOUT_ROW = 3;
/** The longest pause before the second try, in milliseconds. It grows with each try and is random. */
const WAIT_MS = 10;

function triesOfTransaction(error: unknown): number {
  const { kind } = failureOf(error);
  if (kind === "conflict") return MAX_TRIES;
  return kind === "rowMissing" || kind === "missingReference" ? MAX_TRIES_WITHOUT_ROW : 1;
}

/** Repeats `work` from its beginning after a conflict with another transaction. */
export async function retryOnConflict<T>(
  work: () => Promise<T>,
  triesFor: (error: unknown) => number = triesOfTransaction,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (tries >= triesFor(error)) throw error;
      await delay(Math.random() * WAIT_MS * tries);
    }
  }
}

/** Time limits in milliseconds. `maxWait`, the wait for a session, equals the pool's limit. */
const TRANSACTION = { maxWait: 10_000, timeout: 15_000 };
/** Time limits of long commands such as an import, in milliseconds. */
const UNLIMITED_TRANSACTION = { maxWait: 15_000, timeout: 86_400_000 };

/**
 * Reports a failed transaction before its rollback has ended. Prisma reports after the rollback, which on an unreachable
 * database takes as long again as the failed statement.
 */
function reportBeforeRollback<T>(
  run: (reported: (work: Promise<T>) => Promise<T>) => Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const reported = async (work: Promise<T>): Promise<T> => {
      try {
        return await work;
      } catch (error) {
        const { kind } = failureOf(error);
        if (kind === "unreachable" || kind === "timeout") reject(error);
        throw error;
      }
    };
    run(reported).then(resolve, reject);
  });
}

/** Prisma's client and hand-written SQL over one pool. Closing the database closes the pool. */
export function createDatabase(databasePool: DatabasePool, onStatement: OnStatement = () => {}): Database {
  const { pool, schema, unlimited, close } = databasePool;
  const unitQueries = new UnitQueries();
  const prisma = new PrismaClient({
    adapter: unitQueries.adapterFor(pool, schema),
    log: [{ emit: "event", level: "query" }],
    errorFormat: "minimal",
  });
  prisma.$on("query", ({ query, duration }) =>
    onStatement({ name: nameFromText(query), text: query, milliseconds: duration, failure: null }),
  );
  /** Runs a hand-written statement through Prisma, whose event reports only its success. */
  const named = <Result>(statement: NamedStatement, run: () => Promise<Result>): Promise<Result> =>
    reportFailure(onStatement, { name: statement.statementName, text: statement.text }, run);
  const names = new StatementNames(schema);
  const generation = new PlanGeneration();
  const run = async (
    session: Pick<DatabasePool["quick"], "query">,
    statement: NamedStatement,
    use?: StatementUse,
  ): Promise<unknown[]> => {
    const { text, values } = statement;
    const name = statement.statementName;
    const send = (prepared: string | undefined) =>
      runReported(onStatement, { name, text }, () =>
        session.query(prepared === undefined ? { text, values } : { name: prepared, text, values }),
      );
    const prepared = use ? names.nameOf(name, text) : undefined;
    const { rows } = await send(prepared).catch((error: unknown) => {
      if (!names.renewAfter(error, text, prepared)) throw error;
      return send(names.nameOf(name, text));
    });
    return rows;
  };
  const sessionsFor = (use?: StatementUse) => {
    if (use === undefined) return pool;
    return use === "frequent" ? databasePool.frequent : databasePool.quick;
  };
  const cursorReader = new CursorReader(databasePool, run);
  // Costly reads share the sessions that no long list occupies. A held cursor occupies none.
  const share = new FairShare(() => shareOf(databasePool.size - cursorReader.occupied));
  /** Runs a statement; one that can be costly waits for its reader's turn. */
  const runInTurn = (reader: Reader, statement: NamedStatement, use?: StatementUse): Promise<unknown[]> => {
    if (use === "frequent and quick") return run(databasePool.quick, statement, use);
    if (use === undefined) return share.run(reader, () => run(pool, statement, use));
    const { frequent } = databasePool;
    const inTurn: Pick<DatabasePool["frequent"], "query"> = {
      query: (config) => frequent.query(config, () => share.run(reader, () => pool.query(config))),
    };
    return run(inTurn, statement, use);
  };
  const database: Database = {
    prisma,
    forReader: (reader) => ({
      ...database,
      query: async <Row>(statement: NamedStatement, use?: StatementUse) =>
        (await runInTurn(reader, statement, use)) as Row[],
      read: (statements, size) => cursorReader.begin(statements, size, reader.key),
    }),
    query: async <Row>(statement: NamedStatement, use?: StatementUse) =>
      (await run(sessionsFor(use), statement, use)) as Row[],
    read: (statements, size) => cursorReader.begin(statements, size),
    transaction: (work) =>
      retryOnConflict(() =>
        reportBeforeRollback((reported) =>
          prisma.$transaction(
            (client) =>
              reported(
                work({
                  prisma: client,
                  execute: (statement) =>
                    named(statement, () => client.$executeRawUnsafe(statement.text, ...statement.values)),
                  query: async <Row>(statement: NamedStatement) =>
                    (await named(statement, () => unitQueries.run(client, statement))) as Row[],
                }),
              ),
            unlimited ? UNLIMITED_TRANSACTION : TRANSACTION,
          ),
        ),
      ),
    directTransaction: (work) =>
      retryOnConflict(() => runDirectTransaction({ pool, names, generation, onStatement }, work)),
    snapshot: (work) => readSnapshot({ pool, onStatement }, work),
    maintenance: (mode, work) => runMaintenance({ pool, onStatement }, mode, work),
    async close() {
      await prisma.$disconnect();
      await close();
    },
  };
  return database;
}

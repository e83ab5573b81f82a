import { setTimeout as delay } from "node:timers/promises";
import type { Sql } from "sql-template-tag";
import { CursorReader, type CursorStatements, type RowStream } from "./cursorReader.js";
import { failureOf } from "./failures.js";
import { FairShare, type Reader, shareOf } from "./fairShare.js";
import { type Prisma, PrismaClient } from "./generated/prisma/client.js";
import { type MaintenanceMode, type MaintenanceSession, runMaintenance } from "./maintenance.js";
import type { DatabasePool } from "./pools.js";
import { readSnapshot, type Snapshot } from "./snapshot.js";
import { StatementNames } from "./statementNames.js";
import { UnitQueries } from "./unitQueries.js";

/** One statement that ran, for counting and timing; never with its values. */
export interface StatementEvent {
  readonly text: string;
  readonly milliseconds: number;
}

/**
 * A transaction in which Prisma and SQL by hand take part. Inside it nothing else of the database may be used: the
 * embedded database has one session, and the transaction holds it. In development and tests such a use throws; see
 * transactionGuard.ts.
 */
export interface UnitOfWork {
  readonly prisma: Prisma.TransactionClient;
  /** Runs SQL by hand; returns how many rows it changed, or selected. */
  execute(statement: Sql): Promise<number>;
  /** SQL by hand; values come as from Database.query. */
  query<Row>(statement: Sql): Promise<Row[]>;
}

/**
 * How a statement is used that runs all the time. It is prepared, once in each session, and so kept there for good: its
 * texts must be few, whatever callers ask. It only reads. One that is quick reads little, whatever callers ask: others
 * wait behind it.
 */
export type StatementUse = "frequent" | "frequent and quick";

export interface Database {
  readonly prisma: PrismaClient;
  /** SQL by hand: bigint comes as a safe number, numeric as text, timestamptz as an Instant. */
  query<Row>(statement: Sql, use?: StatementUse): Promise<Row[]>;
  /**
   * All of `work` or nothing of it. It is done again, from its beginning, where another transaction was in its way, at
   * its COMMIT too, or where a row went that it was to change or to refer to.
   */
  transaction<T>(work: (unit: UnitOfWork) => Promise<T>): Promise<T>;
  /**
   * Reads what is too long to be held, so many rows at a time, and counts, all in one snapshot. Must be closed.
   * @returns null where too much is being read so already.
   */
  read<Row>(
    statements: CursorStatements,
    size: number,
  ): Promise<{ readonly count: number; readonly reading: RowStream<Row> } | null>;
  /**
   * The same database for one reader, whose reads by `query` and `read` have a fair share of the sessions: those that
   * can be costly wait for each other, and leave sessions to other readers and to writes. A statement that is quick
   * waits for nothing.
   */
  forReader(reader: Reader): Database;
  /** For reading much at leisure: `work` has the embedded database's one session for as long as it takes. */
  snapshot<T>(work: (snapshot: Snapshot) => Promise<T>): Promise<T>;
  /** One transaction of an operator's work, which no time limit of the server's requests ends. */
  maintenance<T>(mode: MaintenanceMode, work: (session: MaintenanceSession) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Many that meet at once are ended one by one. */
const MAX_TRIES = 10;
/** A row that another transaction has just removed is not there the next time either, and the work says so. */
const MAX_TRIES_WITHOUT_ROW = 3;
/** The longest wait before the next try, in milliseconds; it grows with each try, and chance keeps two apart. */
const WAIT_MS = 10;

function triesOfTransaction(error: unknown): number {
  const { kind } = failureOf(error);
  if (kind === "conflict") return MAX_TRIES;
  return kind === "rowMissing" || kind === "missingReference" ? MAX_TRIES_WITHOUT_ROW : 1;
}

/** Does work again, from its beginning, where another transaction was in its way. */
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

/** In milliseconds: a session is waited for no longer than a statement has. */
const TRANSACTION = { maxWait: 10_000, timeout: 15_000 };
/** For commands that take long, such as an import; milliseconds. */
const UNLIMITED_TRANSACTION = { maxWait: 15_000, timeout: 86_400_000 };

/**
 * Prisma reports what failed in a transaction once it has rolled back, for which a database that stands still takes as
 * long again as for the statement: where it does, the failure is reported at once and the rollback goes on.
 */
function heardAtOnce<T>(run: (heard: (work: Promise<T>) => Promise<T>) => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const heard = async (work: Promise<T>): Promise<T> => {
      try {
        return await work;
      } catch (error) {
        const { kind } = failureOf(error);
        if (kind === "unreachable" || kind === "timeout") reject(error);
        throw error;
      }
    };
    run(heard).then(resolve, reject);
  });
}

/** Prisma's client and SQL by hand over one pool. Closing it closes the pool. */
export function createDatabase(
  databasePool: DatabasePool,
  onStatement: (event: StatementEvent) => void = () => {},
): Database {
  const { pool, schema, unlimited, close } = databasePool;
  const unitQueries = new UnitQueries();
  const prisma = new PrismaClient({
    adapter: unitQueries.adapterFor(pool, schema),
    log: [{ emit: "event", level: "query" }],
    errorFormat: "minimal",
  });
  prisma.$on("query", ({ query, duration }) => onStatement({ text: query, milliseconds: duration }));
  const names = new StatementNames(schema);
  const run = async (
    session: Pick<DatabasePool["quick"], "query">,
    { text, values }: Sql,
    use?: StatementUse,
  ): Promise<unknown[]> => {
    const started = performance.now();
    const name = use ? names.nameOf(text) : undefined;
    const { rows } = await session.query(name === undefined ? { text, values } : { name, text, values });
    onStatement({ text, milliseconds: performance.now() - started });
    return rows;
  };
  const sessionsFor = (use?: StatementUse) => {
    if (use === undefined) return pool;
    return use === "frequent" ? databasePool.frequent : databasePool.quick;
  };
  const readings = new CursorReader(databasePool, run);
  // A session that is lent for a long list is none that costly reads could have. A held cursor takes no session.
  const share = new FairShare(() => shareOf(databasePool.size - readings.lent));
  /** Runs a statement that can be costly when its reader's turn has come. */
  const runInTurn = (reader: Reader, statement: Sql, use?: StatementUse): Promise<unknown[]> => {
    if (use === "frequent and quick") return run(databasePool.quick, statement, use);
    // The embedded database has one session, in which nothing is held up by another statement of its own.
    if (use === undefined || databasePool.embedded) return share.run(reader, () => run(pool, statement, use));
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
      query: async <Row>(statement: Sql, use?: StatementUse) =>
        (await runInTurn(reader, statement, use)) as Row[],
      read: (statements, size) => readings.begin(statements, size, reader.key),
    }),
    query: async <Row>(statement: Sql, use?: StatementUse) =>
      (await run(sessionsFor(use), statement, use)) as Row[],
    read: (statements, size) => readings.begin(statements, size),
    transaction: (work) =>
      retryOnConflict(() =>
        heardAtOnce((heard) =>
          prisma.$transaction(
            (client) =>
              heard(
                work({
                  prisma: client,
                  execute: (statement) => client.$executeRawUnsafe(statement.text, ...statement.values),
                  query: async <Row>(statement: Sql) => (await unitQueries.run(client, statement)) as Row[],
                }),
              ),
            unlimited ? UNLIMITED_TRANSACTION : TRANSACTION,
          ),
        ),
      ),
    snapshot: (work) => readSnapshot(pool, work),
    maintenance: (mode, work) => runMaintenance(pool, mode, work),
    async close() {
      await prisma.$disconnect();
      await close();
    },
  };
  return database;
}

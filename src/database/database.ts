import { PrismaPg } from "@prisma/adapter-pg";
import type { Sql } from "sql-template-tag";
import { Prisma, PrismaClient } from "./generated/prisma/client.js";
import type { DatabasePool } from "./pools.js";
import { readSnapshot, type Snapshot } from "./snapshot.js";

/** One statement that ran, for counting and timing; never with its values. */
export interface StatementEvent {
  readonly text: string;
  readonly milliseconds: number;
}

/**
 * A transaction in which Prisma and SQL by hand take part. Inside it nothing else of the database may be awaited:
 * the embedded database has one session, and this has it.
 */
export interface UnitOfWork {
  readonly prisma: Prisma.TransactionClient;
  /** Runs SQL by hand; returns how many rows it changed, or selected. */
  execute(statement: Sql): Promise<number>;
}

export interface Database {
  readonly prisma: PrismaClient;
  /** SQL by hand: bigint comes as a safe number, numeric as text, timestamptz as a Date. */
  query<Row>(statement: Sql): Promise<Row[]>;
  transaction<T>(work: (unit: UnitOfWork) => Promise<T>): Promise<T>;
  /** For reading much at leisure: `work` has the embedded database's one session for as long as it takes. */
  snapshot<T>(work: (snapshot: Snapshot) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Whether a write failed because a value that must be unique is taken. */
export const isUniqueViolation = (error: unknown): boolean =>
  error instanceof Prisma.PrismaClientKnownRequestError && error.code === "P2002";

/** A value taken that must be unique, a row gone that is referred to, a deadlock: what two at once come to. */
const CONFLICTS: readonly unknown[] = ["23505", "23503", "40P01"];

/** Whether a transaction failed because of another one, so that a second try may find things as they are now. */
export function isConflict(error: unknown): boolean {
  if (!(error instanceof Prisma.PrismaClientKnownRequestError)) return false;
  const { driverAdapterError } = (error.meta ?? {}) as {
    driverAdapterError?: { cause?: { originalCode?: string } };
  };
  return CONFLICTS.includes(driverAdapterError?.cause?.originalCode);
}

const TRANSACTION = { maxWait: 15_000, timeout: 15_000 };

/** Prisma's client and SQL by hand over one pool. Closing it closes the pool. */
export function createDatabase(
  { pool, close }: DatabasePool,
  onStatement: (event: StatementEvent) => void = () => {},
): Database {
  const prisma = new PrismaClient({
    adapter: new PrismaPg(pool, { disposeExternalPool: false }),
    log: [{ emit: "event", level: "query" }],
    errorFormat: "minimal",
  });
  prisma.$on("query", ({ query, duration }) => onStatement({ text: query, milliseconds: duration }));
  return {
    prisma,
    async query<Row>(statement: Sql) {
      const started = performance.now();
      const { rows } = await pool.query({ text: statement.text, values: statement.values });
      onStatement({ text: statement.text, milliseconds: performance.now() - started });
      return rows as Row[];
    },
    transaction: (work) =>
      prisma.$transaction(
        (client) =>
          work({
            prisma: client,
            execute: (statement) => client.$executeRawUnsafe(statement.text, ...statement.values),
          }),
        TRANSACTION,
      ),
    snapshot: (work) => readSnapshot(pool, work),
    async close() {
      await prisma.$disconnect();
      await close();
    },
  };
}

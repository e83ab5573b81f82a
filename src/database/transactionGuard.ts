import { AsyncLocalStorage } from "node:async_hooks";
import type { Sql } from "sql-template-tag";
import type { Database, StatementUse } from "./database.js";

/** A fault of this program: inside a transaction, the database was used past the transaction. */
export class OutsideTransactionError extends Error {
  override readonly name = "OutsideTransactionError";

  constructor() {
    super(
      "Inside a transaction only the transaction's own session may be used. The embedded database has one session, which the transaction holds: any other statement would wait for it forever.",
    );
  }
}

/** A transaction whose work is running. Calls that the work leaves running may use the database after the transaction. */
interface OpenTransaction {
  isOpen: boolean;
}

const transactions = new AsyncLocalStorage<OpenTransaction>();

function requireNoTransaction(): void {
  if (transactions.getStore()?.isOpen) throw new OutsideTransactionError();
}

/** Runs a transaction, which `begin` begins, and marks its work as inside of it. */
async function runMarked<Session, T>(
  work: (session: Session) => Promise<T>,
  begin: (marked: (session: Session) => Promise<T>) => Promise<T>,
): Promise<T> {
  requireNoTransaction();
  const transaction: OpenTransaction = { isOpen: true };
  try {
    return await begin((session) => transactions.run(transaction, () => work(session)));
  } finally {
    transaction.isOpen = false;
  }
}

/**
 * The same database, which throws OutsideTransactionError where it is used inside the work of a transaction. This is for
 * development and tests: the AsyncLocalStorage that marks the running work slows down every promise of the process.
 */
export function guardTransactions(database: Database): Database {
  return {
    get prisma() {
      requireNoTransaction();
      return database.prisma;
    },
    query<Row>(statement: Sql, use?: StatementUse) {
      requireNoTransaction();
      return database.query<Row>(statement, use);
    },
    transaction: (work) => runMarked(work, (marked) => database.transaction(marked)),
    read(statements, size) {
      requireNoTransaction();
      return database.read(statements, size);
    },
    forReader: (reader) => guardTransactions(database.forReader(reader)),
    snapshot: (work) => runMarked(work, (marked) => database.snapshot(marked)),
    maintenance: (mode, work) => runMarked(work, (marked) => database.maintenance(mode, marked)),
    close: () => database.close(),
  };
}

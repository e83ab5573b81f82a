import { AsyncLocalStorage } from "node:async_hooks";
import type { Database, StatementUse } from "./database.js";
import type { NamedStatement } from "./statement.js";

/** A fault of this program: the work of a transaction used the database in another way than through the transaction. */
export class OutsideTransactionError extends Error {
  override readonly name = "OutsideTransactionError";

  constructor() {
    super(
      "Inside a transaction only the transaction's own session may be used. The embedded database has one session, which the transaction holds: any other statement would wait for it forever.",
    );
  }
}

/** A transaction whose work is running. Work that goes on after the transaction's end may use the database again. */
interface OpenTransaction {
  isOpen: boolean;
}

const transactions = new AsyncLocalStorage<OpenTransaction>();

function requireNoTransaction(): void {
  if (transactions.getStore()?.isOpen) throw new OutsideTransactionError();
}

/** Runs a transaction that `begin` begins, and marks its work as being inside the transaction. */
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
 * Wraps a database so that it throws OutsideTransactionError if the work of a transaction uses it. Only for development and
 * tests, because the AsyncLocalStorage that marks the running work slows down every promise of the process.
 */
export function guardTransactions(database: Database): Database {
  return {
    get prisma() {
      requireNoTransaction();
      return database.prisma;
    },
    query<Row>(statement: NamedStatement, use?: StatementUse) {
      requireNoTransaction();
      return database.query<Row>(statement, use);
    },
    transaction: (work) => runMarked(work, (marked) => database.transaction(marked)),
    directTransaction: (work) => runMarked(work, (marked) => database.directTransaction(marked)),
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

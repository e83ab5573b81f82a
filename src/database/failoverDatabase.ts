import type { Database } from "./database.js";
import type { Failover } from "./failover.js";
import type { DatabasePool } from "./pools.js";

/** The database whose reads and transactions go where `failover` says. */
export function failoverDatabase(failover: Failover): Database {
  const database: Database = {
    get prisma() {
      return failover.current.database.prisma;
    },
    query: async <Row>(...[statement, use]: Parameters<Database["query"]>) =>
      // Frequent statements only read.
      use === undefined
        ? failover.current.database.query<Row>(statement)
        : failover.reading((current) => current.query<Row>(statement, use)),
    transaction: (work) => failover.writing((current) => current.transaction(work)),
    directTransaction: (work) => failover.writing((current) => current.directTransaction(work)),
    read: (statements, size) => failover.reading((current) => current.read(statements, size)),
    forReader: (reader) => ({
      ...database,
      get prisma() {
        return database.prisma;
      },
      query: (statement, use) =>
        failover.reading((current) => current.forReader(reader).query(statement, use)),
      read: (statements, size) =>
        failover.reading((current) => current.forReader(reader).read(statements, size)),
    }),
    snapshot: async (work) => failover.current.database.snapshot(work),
    maintenance: (mode, work) => failover.writing((current) => current.maintenance(mode, work)),
    close: () => failover.end(),
  };
  return database;
}

/** The sessions to which `failover` leads. A dedicated session is always the primary's. */
export const failoverPool = (failover: Failover, primary: DatabasePool): DatabasePool => ({
  ...primary,
  get pool() {
    return failover.current.pool.pool;
  },
  get quick() {
    return failover.current.pool.quick;
  },
  get frequent() {
    return failover.current.pool.frequent;
  },
  dedicatedSession: (applicationName) => failover.dedicatedSession(applicationName),
  closeOneSession: () => failover.current.pool.closeOneSession(),
  close: () => failover.end(),
});

import { type PostgresServer, startPostgres as start } from "../../tools/postgres.mjs";

export type TestServer = PostgresServer;

/**
 * Starts a PostgreSQL server for this test run. Its data is deleted when it stops.
 * @returns null if this machine has no PostgreSQL that runs.
 */
export const startPostgres = (): Promise<TestServer | null> =>
  start({
    settings: {
      fsync: "off",
      synchronous_commit: "off",
      full_page_writes: "off",
      shared_buffers: "32MB",
      // Several test files at once each start servers with sessions of their own, and ask beside them.
      max_connections: "300",
      // A transaction of autovacuum would keep a vacuum by a test from marking pages as all-visible.
      autovacuum: "off",
    },
  });

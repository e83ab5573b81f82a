import { type PostgresServer, startPostgres as start } from "../../tools/postgres.mjs";

export type TestServer = PostgresServer;

/**
 * Starts a PostgreSQL server of the tests' own, which forgets everything at its end.
 * @returns null where none can be had.
 */
export const startPostgres = (): Promise<TestServer | null> =>
  start({
    settings: {
      fsync: "off",
      synchronous_commit: "off",
      full_page_writes: "off",
      shared_buffers: "32MB",
      // Its transactions keep a test's own vacuum from telling that a page is seen by all.
      autovacuum: "off",
    },
  });

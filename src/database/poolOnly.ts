import type pg from "pg";
import type { SessionConfig } from "./session.js";
import type { WaitingPool } from "./waitingPool.js";

/** Runs single statements, each in any session. */
export interface StatementRunner {
  query(statement: pg.QueryConfig): Promise<pg.QueryResult>;
}

/** Runs frequent statements. */
export interface FrequentStatementRunner {
  /** @param onPool runs the same statement in a session of the pool. It is called if no other session can take it. */
  query(statement: pg.QueryConfig, onPool?: () => Promise<pg.QueryResult>): Promise<pg.QueryResult>;
}

/** The sessions in which requests are served. */
export interface RequestSessions {
  readonly pool: WaitingPool;
  /** The largest number of sessions of `pool`. */
  readonly size: number;
  /** For frequent statements that always read little. */
  readonly quick: StatementRunner;
  /** For frequent statements that usually read little. */
  readonly frequent: FrequentStatementRunner;
  /** As WaitingPool.suspend. The pool's `resume` ends it. */
  suspend(): void;
  close(): Promise<void>;
}

export interface SessionOptions {
  /** The largest number of sessions for requests, at least 1. */
  readonly sessions: number;
  readonly openPool: (size: number) => WaitingPool;
  readonly configFor: (applicationName: string) => SessionConfig;
  readonly onError: (error: Error) => void;
}

/** Runs frequent statements on the pool. */
export const frequentOnPool = (pool: pg.Pool): FrequentStatementRunner => ({
  query: (statement, onPool = () => pool.query(statement)) => onPool(),
});

/** All sessions belong to the pool, which runs every statement. */
export function openPoolOnly({ sessions, openPool }: SessionOptions): RequestSessions {
  const pool = openPool(sessions);
  return {
    pool,
    size: sessions,
    quick: pool,
    frequent: frequentOnPool(pool),
    suspend: () => pool.suspend(),
    close: () => pool.end(),
  };
}

import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import { isLockConflict, LOCK_TIMEOUT_MS } from "./lockConflicts.js";
import { liftTimeLimit, rollBack } from "./session.js";
import type { NamedStatement } from "./statement.js";
import { type OnStatement, runReported } from "./statementEvents.js";

/** Hand-written SQL in one transaction. Values are decoded as by Database.query. */
export interface MaintenanceSession {
  query<Row>(statement: NamedStatement): Promise<Row[]>;
}

/**
 * - snapshot: reads the database as it is at one moment and blocks no writer.
 * - write: repeated after a conflict with another transaction.
 */
export type MaintenanceMode = "snapshot" | "write";

const BEGIN: Readonly<Record<MaintenanceMode, string>> = {
  snapshot: "begin isolation level repeatable read, read only",
  // Each statement sees what other transactions committed while it waited for its locks.
  write: "begin isolation level read committed, read write",
};

/** The longest pause between two tries, in milliseconds; each pause is random. */
const MAX_PAUSE_MS = 1000;
const MAX_TRIES = 120;

interface MaintenanceSessions {
  readonly pool: pg.Pool;
  readonly onStatement: OnStatement;
}

async function runOnce<T>(
  { pool, onStatement }: MaintenanceSessions,
  mode: MaintenanceMode,
  work: (session: MaintenanceSession) => Promise<T>,
): Promise<T> {
  const session = await pool.connect();
  try {
    await session.query(BEGIN[mode]);
    await liftTimeLimit(session);
    if (mode === "write") await session.query(`set local lock_timeout = ${LOCK_TIMEOUT_MS}`);
    const result = await work({
      query: async <Row>(statement: NamedStatement) => {
        const { text, values } = statement;
        const { rows } = await runReported(onStatement, { name: statement.statementName, text }, () =>
          session.query({ text, values }),
        );
        return rows as Row[];
      },
    });
    await session.query("commit");
    session.release();
    return result;
  } catch (error) {
    await rollBack(session, error);
    throw error;
  }
}

/** Runs one transaction of an operator's command, without the time limits of requests. */
export async function runMaintenance<T>(
  sessions: MaintenanceSessions,
  mode: MaintenanceMode,
  work: (session: MaintenanceSession) => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await runOnce(sessions, mode, work);
    } catch (error) {
      if (tries === MAX_TRIES || !isLockConflict(error)) throw error;
      await delay(Math.random() * MAX_PAUSE_MS);
    }
  }
}

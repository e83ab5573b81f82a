import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterPostgres,
  RLWrapperTimeouts,
} from "rate-limiter-flexible";
import { raw } from "sql-template-tag";
import type { Database } from "../../database/database.js";
import type { DatabasePool } from "../../database/pools.js";
import { statement } from "../../database/statement.js";
import type { StorageGuard } from "../shared/databaseErrors.js";
import { WINDOW_SECONDS } from "./rateLimit.js";

/** How long the database may take to answer, in milliseconds. A request must not wait for its limit. */
const ANSWER_MS = 1000;
/** How long a row is kept after its window has ended, because the servers' clocks may differ. */
const KEPT_MS = 3_600_000;

/**
 * The store of the limit: in the database, for all servers, or in memory if there is one server. While the database does
 * not answer, each server counts in its own memory, so that the limit makes no request fail.
 */
export function rateLimitStore(
  limit: number,
  database: DatabasePool,
  storageGuard: StorageGuard,
): RateLimiterAbstract {
  const options = { points: limit, duration: WINDOW_SECONDS, keyPrefix: "" };
  const memory = new RateLimiterMemory(options);
  if (database.embedded) return memory;
  const client = {
    async query({ text: unnamed, values }: { text: string; values: unknown[] }) {
      const { text } = statement("rate_limit_count")`${raw(unnamed)}`;
      storageGuard.requireWritable();
      try {
        return await database.pool.query({ text, values });
      } catch (error) {
        storageGuard.recordFailure(error);
        throw error;
      }
    },
  };
  const limiter = new RateLimiterPostgres({
    ...options,
    storeClient: client,
    storeType: "client",
    tableName: "rate_limit",
    tableCreated: true,
    clearExpiredByTimeout: false,
    insuranceLimiter: memory,
  });
  return new RLWrapperTimeouts({ limiter, timeoutMs: ANSWER_MS });
}

/** Deletes the rows of windows that have ended. */
export async function pruneRateLimits(database: Database): Promise<void> {
  await database.query(
    statement("rate_limits_prune")`delete from rate_limit where expire < ${Date.now() - KEPT_MS}::bigint`,
  );
}

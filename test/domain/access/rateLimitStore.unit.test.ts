import type pg from "pg";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { DatabasePool } from "../../../src/database/pools.js";
import { RateLimit } from "../../../src/domain/access/rateLimit.js";
import { rateLimitStore } from "../../../src/domain/access/rateLimitStore.js";
import type { Caller } from "../../../src/domain/shared/caller.js";
import type { StorageGuard } from "../../../src/domain/shared/databaseErrors.js";
import { DatabaseUnavailableError, RateLimitedError } from "../../../src/domain/shared/errors.js";

const caller: Caller = { key: "token:1", name: "A", role: "VIEWER", chatIds: null, telegramUserId: null };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function limitOn(query: () => Promise<never>, requireWritable = () => {}) {
  const recordFailure = vi.fn();
  const guard: StorageGuard = { requireWritable, recordFailure, trackStoring: () => {} };
  const pool = { pool: { query } as unknown as pg.Pool, embedded: false } as DatabasePool;
  return { limit: new RateLimit(10, rateLimitStore(10, pool, guard)), recordFailure };
}

test("a server counts in its memory while the database refuses", async () => {
  const error = new Error("refused");
  const { limit, recordFailure } = limitOn(() => Promise.reject(error));
  await limit.spend(caller, 7);
  expect(recordFailure).toHaveBeenCalledWith(error);
  await expect(limit.spend(caller, 4)).rejects.toThrow(RateLimitedError);
  await limit.spend(caller, 3);
  expect(await limit.look(caller)).toMatchObject({ limit: 10, remaining: 0 });
});

test("a server waits a second for a database that hangs, and then counts in its memory", async () => {
  const { limit } = limitOn(() => new Promise(() => {}));
  let isSpent = false;
  const spent = limit.spend(caller, 7)?.then(() => {
    isSpent = true;
  });
  await vi.advanceTimersByTimeAsync(999);
  expect(isSpent).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  await spent;
  expect(isSpent).toBe(true);
});

test("a server does not ask a database that is known to be away", async () => {
  const query = vi.fn(() => Promise.reject(new Error("refused")));
  const { limit } = limitOn(query, () => {
    throw new DatabaseUnavailableError("unreachable");
  });
  await limit.spend(caller, 10);
  await expect(limit.spend(caller, 1)).rejects.toThrow(RateLimitedError);
  expect(query).not.toHaveBeenCalled();
});

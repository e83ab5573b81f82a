import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Database } from "../../../../src/database/database.js";
import { BatchFollower, batchFeed } from "../../../../src/domain/links/batches/batchFollower.js";
import type { LinkBatch } from "../../../../src/domain/links/batches/linkBatch.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("a follower gives the next state of its batch though the clock was set back an hour", async () => {
  let batch = { id: "a batch", madeCount: 0, finishedAt: null } as LinkBatch;
  const database = { query: async () => [batch] } as unknown as Database;
  const follower = new BatchFollower(batchFeed(database), batch);
  const made: number[] = [];
  const follow = async () => {
    for await (const { madeCount } of follower) made.push(madeCount);
  };
  const followed = follow();
  await vi.advanceTimersByTimeAsync(0);
  vi.setSystemTime(Date.now() - 3_600_000);
  batch = { ...batch, madeCount: 1 };
  await vi.advanceTimersByTimeAsync(1000);
  expect(made).toEqual([0, 1]);
  await follower.return();
  await followed;
});

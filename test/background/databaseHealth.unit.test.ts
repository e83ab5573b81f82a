import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { DatabaseHealth } from "../../src/background/databaseHealth.js";
import { createLog } from "../../src/log.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("failures of requests do not put off the test write that ends an outage", async () => {
  const write = vi.fn(async () => {});
  const log = createLog({ level: "silent", format: null, secrets: [], write() {} });
  const health = new DatabaseHealth({ read: async () => {}, write, close() {} }, log);
  for (let failures = 0; failures < 10; failures += 1) {
    health.recordFailure({ code: "25006" });
    await vi.advanceTimersByTimeAsync(500);
  }
  expect(write).toHaveBeenCalled();
  health.stop();
});

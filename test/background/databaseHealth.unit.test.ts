import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { DatabaseHealth } from "../../src/background/databaseHealth.js";
import { createLog } from "../../src/log.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const log = createLog({ level: "silent", format: null, secrets: [], write() {} });

test.each([
  ["a full disk lasts until it is stored", "53100", "full"],
  ["a server that was read-only is over with a test write", "25006", "ok"],
])("while a result waits to be stored, %s", async (_what, code, state) => {
  const health = new DatabaseHealth({ read: async () => {}, write: async () => {}, close() {} }, log);
  health.trackStoring(new Promise(() => {}));
  health.recordFailure({ code });
  await vi.advanceTimersByTimeAsync(5000);
  expect(await health.check()).toBe(state);
  health.stop();
});

test("failures of requests do not put off the test write that ends an outage", async () => {
  const write = vi.fn(async () => {});
  const health = new DatabaseHealth({ read: async () => {}, write, close() {} }, log);
  for (let failures = 0; failures < 10; failures += 1) {
    health.recordFailure({ code: "25006" });
    await vi.advanceTimersByTimeAsync(500);
  }
  expect(write).toHaveBeenCalled();
  health.stop();
});

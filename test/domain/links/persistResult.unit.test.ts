import { beforeEach, expect, test, vi } from "vitest";
import { persistResult } from "../../../src/domain/links/persistResult.js";
import { PendingWork } from "../../../src/domain/shared/pendingWork.js";
import { createLog } from "../../../src/log.js";

/** The time of these tests in milliseconds. Pauses let it pass at once. */
let now = 0;
vi.mock("node:timers/promises", () => ({
  setTimeout: async (milliseconds: number) => {
    now += milliseconds;
  },
}));
beforeEach(() => {
  now = 0;
  vi.spyOn(performance, "now").mockImplementation(() => now);
});

const MINUTE_MS = 60_000;
const log = createLog({ level: "fatal", format: null, secrets: [], write: () => {} });
const storageGuard = { requireWritable: () => {}, recordFailure: () => {}, trackStoring: () => {} };
const away = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });

/** Stores a result. @param store one try */
async function persist(store: () => string, pendingWork = new PendingWork()) {
  const giveUp = vi.fn(async () => {});
  const result = { store: async () => store(), giveUp, answer: null, about: {} };
  const outcome = await persistResult(result, log, { storageGuard, pendingWork }).catch(({ code }) => code);
  return { outcome, gaveUp: giveUp.mock.calls.length };
}

test("a result of Telegram's is stored after an outage of half an hour", async () => {
  const store = () => {
    if (now < 30 * MINUTE_MS) throw away;
    return "stored";
  };
  expect(await persist(store)).toEqual({ outcome: "stored", gaveUp: 0 });
  expect(now).toBeLessThan(31 * MINUTE_MS);
});

test("a result of Telegram's that a fault of the program keeps from being stored is given up within half a minute", async () => {
  const store = () => {
    throw new TypeError("a fault");
  };
  expect(await persist(store)).toEqual({ outcome: "TELEGRAM_UNAVAILABLE", gaveUp: 1 });
  expect(now).toBeLessThan(MINUTE_MS / 2);
});

test("a server that is told to stop during an outage gives the result up within half a minute", async () => {
  const pendingWork = new PendingWork();
  let stoppedAt: number | null = null;
  const store = () => {
    if (now > 5 * MINUTE_MS && stoppedAt === null) {
      stoppedAt = now;
      pendingWork.stopSoon();
    }
    throw away;
  };
  expect(await persist(store, pendingWork)).toEqual({ outcome: "TELEGRAM_UNAVAILABLE", gaveUp: 1 });
  expect(now - (stoppedAt ?? 0)).toBeLessThan(MINUTE_MS / 2);
});

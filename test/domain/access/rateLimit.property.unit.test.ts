import * as fc from "fast-check";
import { RateLimiterMemory } from "rate-limiter-flexible";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { RateLimit } from "../../../src/domain/access/rateLimit.js";
import type { Caller } from "../../../src/domain/shared/caller.js";
import { RateLimitedError } from "../../../src/domain/shared/errors.js";
import { propertyInTime } from "../../support/properties.js";

const WINDOW_MS = 60_000;
const caller: Caller = { key: "token:1", name: "A", role: "VIEWER", chatIds: null, telegramUserId: null };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Servers that share a store. */
function serversWith(limit: number, count: number): RateLimit[] {
  const store = new RateLimiterMemory({ points: limit, duration: WINDOW_MS / 1000, keyPrefix: "" });
  return Array.from({ length: count }, () => new RateLimit(limit, store));
}

/** Whether a request may be executed. */
async function passes(server: RateLimit, cost: number): Promise<boolean> {
  try {
    await server.spend(caller, cost);
    return true;
  } catch (error) {
    if (error instanceof RateLimitedError) return false;
    throw error;
  }
}

const remainingOf = async (server: RateLimit) => (await server.look(caller))?.remaining;

/** The model: what was spent in the current window. */
class Model {
  readonly #limit: number;
  #spent = 0;
  windowEnd = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Begins a window with the first request that could be executed. */
  begin(cost: number): void {
    if (Date.now() < this.windowEnd || cost === 0 || cost > this.#limit) return;
    this.#spent = 0;
    this.windowEnd = Date.now() + WINDOW_MS;
  }

  spend(cost: number): void {
    this.#spent += cost;
  }

  get remaining(): number {
    return Date.now() < this.windowEnd ? this.#limit - this.#spent : this.#limit;
  }
}

const limits = fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 61, max: 5000 }));
/** Costs as parts of the limit: many cheap ones, and some that are greater than the limit. */
const parts = fc.oneof(
  fc.double({ min: 0, max: 0.1, noNaN: true }),
  fc.double({ min: 0, max: 1.2, noNaN: true }),
);
const pauses = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 25_000 }));

test("one server lets a request pass exactly if the window has its cost left", async () => {
  const steps = fc.array(fc.record({ pause: pauses, part: parts }), { maxLength: 80 });
  await fc.assert(
    propertyInTime(limits, steps, async (limit, run) => {
      const [server] = serversWith(limit, 1);
      if (!server) throw new TypeError("There is no server.");
      const model = new Model(limit);
      for (const { pause, part } of run) {
        await vi.advanceTimersByTimeAsync(pause);
        const cost = Math.round(part * limit);
        model.begin(cost);
        const isPassing = cost <= model.remaining;
        expect(await passes(server, cost)).toBe(isPassing);
        if (isPassing) model.spend(cost);
        expect(await remainingOf(server)).toBe(model.remaining);
      }
    }),
    { numRuns: 200 },
  );
});

test("requests at the same moment spend no more than the limit, and leave less than any refused one costs", async () => {
  const bursts = fc.array(fc.array(parts, { minLength: 1, maxLength: 40 }), { maxLength: 6 });
  await fc.assert(
    propertyInTime(limits, bursts, async (limit, run) => {
      const [server] = serversWith(limit, 1);
      if (!server) throw new TypeError("There is no server.");
      let spent = 0;
      for (const burst of run) {
        const costs = burst.map((part) => Math.round(part * limit));
        const passed = await Promise.all(costs.map((cost) => passes(server, cost)));
        spent += costs.filter((_cost, index) => passed[index]).reduce((sum, cost) => sum + cost, 0);
        expect(spent).toBeLessThanOrEqual(limit);
        for (const [index, cost] of costs.entries())
          if (!passed[index]) expect(cost).toBeGreaterThan(limit - spent);
      }
    }),
    { numRuns: 200 },
  );
});

test("several servers spend no more than the limit, and refuse only what the others' leases may hold", async () => {
  const step = fc.record({
    pause: pauses,
    // Requests of one moment, each with its server.
    burst: fc.array(fc.tuple(fc.nat(2), parts), { minLength: 1, maxLength: 8 }),
  });
  await fc.assert(
    propertyInTime(limits, fc.array(step, { maxLength: 30 }), async (limit, run) => {
      const servers = serversWith(limit, 3);
      const model = new Model(limit);
      for (const { pause, burst } of run) {
        // After a second a server asks the store again before it refuses.
        await vi.advanceTimersByTimeAsync(pause + 1000);
        const costs = burst.map(([, part]) => Math.round(part * limit));
        for (const cost of costs) model.begin(cost);
        const before = model.remaining;
        const passed = await Promise.all(
          burst.map(([index], at) => passes(servers[index] as RateLimit, costs[at] ?? 0)),
        );
        for (const [at, cost] of costs.entries()) if (passed[at]) model.spend(cost);
        expect(model.remaining).toBeGreaterThanOrEqual(0);
        // Shortly before its end a window keeps what was refused.
        if (burst.length > 1 || Date.now() >= model.windowEnd - 1000) continue;
        if (!passed[0]) expect(costs[0]).toBeGreaterThan(before - 2 * Math.floor(limit / 50));
      }
    }),
    { numRuns: 200 },
  );
});

test("a cheap request passes on another server after a costly one was refused", async () => {
  const [one, other] = serversWith(1000, 2);
  if (!one || !other) throw new TypeError("There are no servers.");
  expect(await passes(one, 300)).toBe(true);
  // Later the server asks the store again.
  await vi.advanceTimersByTimeAsync(1000);
  expect(await passes(one, 900)).toBe(false);
  expect(await passes(other, 650)).toBe(true);
  // One server keeps a lease of 20.
  expect(await passes(other, 31)).toBe(false);
  expect(await passes(one, 20)).toBe(true);
});

test("a server asks the store once for many cheap requests and for many refused ones", async () => {
  const store = new RateLimiterMemory({ points: 1000, duration: 60, keyPrefix: "" });
  const consume = vi.spyOn(store, "consume");
  const server = new RateLimit(1000, store);
  await Promise.all(Array.from({ length: 40 }, () => server.spend(caller, 1)));
  expect(consume).toHaveBeenCalledTimes(2);
  expect(await passes(server, 1000)).toBe(false);
  consume.mockClear();
  for (let count = 0; count < 20; count += 1) expect(await passes(server, 1000)).toBe(false);
  expect(consume).not.toHaveBeenCalled();
});

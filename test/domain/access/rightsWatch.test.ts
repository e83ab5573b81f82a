import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Database } from "../../../src/database/database.js";
import { RightsWatch } from "../../../src/domain/access/rightsWatch.js";
import type { Caller } from "../../../src/domain/shared/caller.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const callerOf = (id: string): Caller => ({
  key: `token:${id}`,
  name: "Test",
  role: "EDITOR",
  chatIds: null,
  telegramUserId: null,
});
const valid = (id: string) => ({ id, role: "EDITOR", allChannels: true, chatIds: [] });

describe("the watch over the rights of open streams", () => {
  test("reads all distinct tokens with one statement, and nothing without a stream", async () => {
    const query = vi.fn(async () => [valid("a"), valid("b")]);
    const watch = new RightsWatch({ query } as unknown as Database);
    const onLoss = vi.fn();
    const ends = ["a", "b", "a"].map((id) => watch.watch(callerOf(id), onLoss));
    await vi.advanceTimersByTimeAsync(1100);
    expect(query).toHaveBeenCalledTimes(2);
    for (const end of ends) end();
    await vi.advanceTimersByTimeAsync(5000);
    expect(query).toHaveBeenCalledTimes(2);
    expect(vi.getTimerCount()).toBe(0);
    expect(onLoss).not.toHaveBeenCalled();
    watch.watch(callerOf("c"), onLoss);
    await vi.advanceTimersByTimeAsync(600);
    expect(onLoss.mock.calls).toEqual([["revoked"]]);
  });

  test("ends streams only after the tokens could not be read for ten seconds", async () => {
    let isAway = true;
    const query = vi.fn(async () => {
      if (isAway) throw new Error("connection refused");
      return [valid("a")];
    });
    const watch = new RightsWatch({ query } as unknown as Database);
    const onLoss = vi.fn();
    watch.watch(callerOf("a"), onLoss);
    await vi.advanceTimersByTimeAsync(9000);
    isAway = false;
    await vi.advanceTimersByTimeAsync(1000);
    isAway = true;
    await vi.advanceTimersByTimeAsync(9000);
    expect(onLoss).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(3000);
    expect(onLoss.mock.calls).toEqual([["unknown"]]);
  });
});

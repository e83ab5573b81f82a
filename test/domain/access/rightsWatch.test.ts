import { AsyncLocalStorage } from "node:async_hooks";
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
    // Does not wait for a session of the pool.
    expect(query).toHaveBeenLastCalledWith(expect.anything(), "frequent and quick");
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

  test("gives the first of new streams ten seconds of its own", async () => {
    const query = vi.fn(async () => {
      throw new Error("connection refused");
    });
    const watch = new RightsWatch({ query } as unknown as Database);
    const onLoss = vi.fn();
    const end = watch.watch(callerOf("a"), onLoss);
    await vi.advanceTimersByTimeAsync(9800);
    end();
    watch.watch(callerOf("b"), onLoss);
    await vi.advanceTimersByTimeAsync(9800);
    expect(onLoss).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1000);
    expect(onLoss.mock.calls).toEqual([["unknown"]]);
  });

  test("does not run as a part of the request that opened the first stream", async () => {
    // Faked timers would run in the test's own context.
    vi.useRealTimers();
    const requests = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const query = async () => {
      seen.push(requests.getStore());
      return [valid("a")];
    };
    const watch = new RightsWatch({ query } as unknown as Database);
    const end = requests.run("r-1", () => watch.watch(callerOf("a"), () => {}));
    await expect.poll(() => seen.length).toBeGreaterThanOrEqual(2);
    end();
    expect(new Set(seen)).toEqual(new Set([undefined]));
  });

  test("asks for migrations only while a token lacks a chat, and follows each once", async () => {
    let chatIds = ["-1", "-2"];
    const query = vi.fn(async ({ text }: { text: string }) =>
      text.includes("audit_entry")
        ? [{ from: -1, to: -3 }]
        : [{ id: "a", role: "EDITOR", allChannels: false, chatIds }],
    );
    const watch = new RightsWatch({ query } as unknown as Database);
    const onLoss = vi.fn();
    const caller = { ...callerOf("a"), chatIds: new Set([-1, -2]) };
    watch.watch(caller, onLoss);
    await vi.advanceTimersByTimeAsync(600);
    expect(query).toHaveBeenCalledTimes(1);
    chatIds = ["-2", "-3"];
    await vi.advanceTimersByTimeAsync(500);
    expect(query).toHaveBeenCalledTimes(3);
    await vi.advanceTimersByTimeAsync(500);
    expect(query).toHaveBeenCalledTimes(4);
    expect(onLoss).not.toHaveBeenCalled();
    // The caller can use the chat on, whose new id counts like its old one.
    expect([...caller.chatIds]).toEqual([-2, -3]);
    chatIds = ["-2"];
    await vi.advanceTimersByTimeAsync(500);
    expect(onLoss.mock.calls).toEqual([["lessened"]]);
  });
});

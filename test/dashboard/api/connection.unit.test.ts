import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Connection } from "../../../dashboard/src/api/connection.js";

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("addEventListener", () => {});
  vi.stubGlobal("removeEventListener", () => {});
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("attempts to reach the server end with the page, also one that is on its way", async () => {
  let answer = (_isReached: boolean): void => {};
  const ask = vi.fn(
    () =>
      new Promise<boolean>((resolve) => {
        answer = resolve;
      }),
  );
  const connection = new Connection(ask, () => {});
  connection.lose();
  await vi.runOnlyPendingTimersAsync();
  expect(ask).toHaveBeenCalledTimes(1);
  connection.close();
  answer(false);
  await vi.runAllTimersAsync();
  expect(ask).toHaveBeenCalledTimes(1);
});

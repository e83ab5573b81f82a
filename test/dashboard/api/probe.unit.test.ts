import { afterEach, expect, test, vi } from "vitest";
import { probe } from "../../../dashboard/src/api/probe.js";

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

test("a server that does not answer in time counts as unreachable", { timeout: 5000 }, async () => {
  const tooLate = new AbortController();
  vi.spyOn(AbortSignal, "timeout").mockReturnValue(tooLate.signal);
  vi.stubGlobal(
    "fetch",
    (_url: string, { signal }: RequestInit) =>
      new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(signal.reason))),
  );
  const answer = probe("token");
  tooLate.abort();
  expect(await answer).toBe("unreachable");
});

import { afterEach, beforeEach, expect, test, vi } from "vitest";

beforeEach(() => {
  vi.resetModules();
  vi.stubGlobal("document", { querySelector: () => null });
  vi.stubGlobal("sessionStorage", { getItem: () => null, setItem: () => {}, removeItem: () => {} });
  vi.stubGlobal(
    "BroadcastChannel",
    class {
      postMessage() {}
    },
  );
});
afterEach(() => {
  vi.unstubAllGlobals();
});
const session = () => import("../../../dashboard/src/shell/session.js");

test("a late refusal of the last token does not sign the new token out", async () => {
  const { enter, getToken, refuse } = await session();
  enter("last");
  refuse("last");
  expect(getToken()).toBe("");
  enter("new");
  refuse("last");
  expect(getToken()).toBe("new");
  refuse("new");
  expect(getToken()).toBe("");
});

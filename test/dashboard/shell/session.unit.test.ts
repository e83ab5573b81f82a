import { afterEach, beforeEach, expect, test, vi } from "vitest";

/** Has the tab hear what another tab says. */
let receive: (message: object) => void;

beforeEach(() => {
  vi.resetModules();
  vi.stubGlobal("document", { querySelector: () => null });
  vi.stubGlobal("sessionStorage", { getItem: () => null, setItem: () => {}, removeItem: () => {} });
  vi.stubGlobal(
    "BroadcastChannel",
    class {
      onmessage: (event: { data: object }) => void = () => {};
      constructor() {
        receive = (data) => this.onmessage({ data });
      }
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

test("a tab whose token was rejected does not take the same token from a tab that has not noticed it", async () => {
  const { accept, enter, getToken, refuse } = await session();
  enter("old");
  accept("old");
  refuse("old");
  receive({ kind: "token", token: "old" });
  // What is on the page stays until somebody signs in again.
  refuse("old");
  expect(getToken()).toBe("old");
  receive({ kind: "token", token: "new" });
  expect(getToken()).toBe("new");
});

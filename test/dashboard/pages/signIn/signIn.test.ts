import { expect, test } from "vitest";
import { violationsOf } from "../../../support/accessibility.js";
import { describeInChromium } from "../../../support/chromium.js";
import {
  button,
  ELSEWHERE,
  open,
  page,
  problems,
  rows,
  server,
  shows,
  showsSummary,
  signIn,
  useDashboard,
} from "../../../support/dashboardPage.js";

describeInChromium("signing in", () => {
  useDashboard();

  test("an invalid token is rejected, and a valid one survives a reload until signing out", async () => {
    await open(ELSEWHERE);
    await signIn("nobody's");
    await page.getByRole("alert").getByText("does not know this token").waitFor();
    // The browser's own message about status 401.
    expect(problems.consoleMessages.splice(0).join()).toMatch(/401/);
    await signIn(server.token);
    await showsSummary();
    await page.reload();
    await showsSummary();
    await button("Sign out").click();
    await page.getByLabel("API token").waitFor();
    await page.reload();
    await page.getByLabel("API token").waitFor();
    expect(await page.evaluate("sessionStorage.length")).toBe(0);
    expect(await page.evaluate("JSON.stringify(localStorage)")).not.toContain(server.token);
  });

  test.each(["light", "dark"] as const)(
    "axe finds nothing wrong with the sign-in page and its error in the %s scheme",
    async (colorScheme) => {
      await open({ ...ELSEWHERE, colorScheme, reducedMotion: "reduce" });
      await page.getByLabel("API token").waitFor();
      expect(await violationsOf(page)).toEqual([]);
      await signIn("nobody's");
      await page.getByRole("alert").getByText("does not know this token").waitFor();
      for (const width of [1280, 390]) {
        await page.setViewportSize({ width, height: 844 });
        expect(await violationsOf(page), String(width)).toEqual([]);
      }
      // The browser's own message about status 401.
      expect(problems.consoleMessages.splice(0).join()).toMatch(/401/);
    },
  );

  test("a caller with the role VIEWER sees no button that changes anything", async () => {
    await open(ELSEWHERE);
    await signIn(await server.makeToken({ role: "VIEWER" }));
    await showsSummary();
    await shows(() => rows().count()).toBeGreaterThan(0);
    const offered = await page
      .getByRole("button")
      .evaluateAll((buttons) =>
        buttons.map((element) => element.getAttribute("aria-label") ?? element.textContent ?? ""),
      );
    expect(offered.filter((name) => /^(Create link|Tags|Edit|Revoke)/.test(name))).toEqual([]);
    expect(offered.filter((name) => /^More actions/.test(name)).length).toBeGreaterThan(0);
  });

  test("a caller without a channel sees the page No channel yet", async () => {
    await open(ELSEWHERE);
    await signIn(await server.makeToken({ role: "EDITOR", channelIds: [-100999] }));
    await page.getByRole("heading", { name: "No channel yet" }).waitFor();
  });
});

import { expect, test } from "vitest";
import { describeInChromium } from "../../support/chromium.js";
import { open, page, showsSummary, useDashboard } from "../../support/dashboardPage.js";

describeInChromium("the colours of the dashboard", () => {
  useDashboard();

  test("the dashboard is dark if the system is dark", async () => {
    const ground = () => page.evaluate("getComputedStyle(document.body).backgroundColor") as Promise<string>;
    const light = (colour: string) =>
      [...colour.matchAll(/\d+/g)].slice(0, 3).every(([part]) => Number(part) > 128);
    await open({ colorScheme: "light" });
    await showsSummary();
    expect(light(await ground())).toBe(true);
    await page.emulateMedia({ colorScheme: "dark" });
    expect(light(await ground())).toBe(false);
    expect(light((await page.evaluate("getComputedStyle(document.body).color")) as string)).toBe(true);
  });
});

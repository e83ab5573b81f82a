import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { describeInChromium } from "../../support/chromium.js";
import { open, page, shows, showsSummary, useDashboard } from "../../support/dashboardPage.js";

/** The most script that the first page may load, compressed, in bytes. */
const MOST_SCRIPT = 150_000;

describeInChromium("loading the dashboard", () => {
  useDashboard();

  test("the first page loads less than 150 kB of compressed script, and dialogs come when they are opened", async () => {
    await open();
    await showsSummary();
    const scripts: { readonly path: string; readonly size: number }[] = [];
    page.on("response", async (response) => {
      const path = new URL(response.url()).pathname;
      if (!path.endsWith(".js")) return;
      expect(response.headers()["content-encoding"]).toMatch(/^(br|gzip)$/);
      scripts.push({ path, size: gzipSync(await response.body()).length });
    });
    await page.reload();
    await showsSummary();
    await page.waitForLoadState("networkidle");
    expect(scripts.length).toBeGreaterThan(2);
    expect(scripts.reduce((sum, { size }) => sum + size, 0)).toBeLessThan(MOST_SCRIPT);
    expect(scripts.map(({ path }) => path).join()).not.toMatch(/LinkForm|QrDialog|RowMenu|TagsDialog/);
  });

  test("the queries of the first screen are sent in one round", async () => {
    await open();
    await showsSummary();
    await shows(() => page.locator(".bars li").count()).toBeGreaterThan(0);
    // No question is answered before the page has asked all that it can.
    const held: { readonly name: string; readonly answer: () => Promise<void> }[] = [];
    let isHeld = true;
    await page.route("**/graphql", async (route, request) => {
      if (isHeld) held.push({ name: request.postDataJSON().operationName, answer: () => route.fallback() });
      else await route.fallback();
    });
    await page.reload();
    await shows(async () => held.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["Links", "Shell", "Summary"]),
    );
    isHeld = false;
    await Promise.all(held.map(({ answer }) => answer()));
    await showsSummary();
    await shows(() => page.locator("tbody tr").count()).toBeGreaterThan(0);
  });
});

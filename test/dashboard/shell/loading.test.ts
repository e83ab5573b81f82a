import { brotliCompressSync, gzipSync } from "node:zlib";
import type { Response } from "playwright-core";
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
    const scripts: Response[] = [];
    page.on("response", (response) => {
      if (response.url().endsWith(".js")) scripts.push(response);
    });
    await page.reload();
    await showsSummary();
    await shows(() => page.locator(".bars li").count()).toBeGreaterThan(0);
    expect(scripts.length).toBeGreaterThan(2);
    for (const response of scripts) expect(response.headers()["content-encoding"]).toMatch(/^(br|gzip)$/);
    const bodies = await Promise.all(scripts.map((response) => response.body()));
    for (const compress of [brotliCompressSync, gzipSync]) {
      const sizes = bodies.map((body) => compress(body).length);
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(MOST_SCRIPT);
    }
    expect(scripts.map((response) => response.url()).join()).not.toMatch(
      /LinkForm|QrDialog|RowMenu|SeriesChart|SettleDialog|TagsDialog/,
    );
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

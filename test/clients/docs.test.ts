import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { describeInChromium, launchChromium, watchPage } from "../support/chromium.js";
import { startTestServer, type TestServer } from "../support/server.js";

// A browser is slow on a busy machine.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

describeInChromium("the API documentation in Chromium, without internet", () => {
  let server: TestServer;
  let browser: Browser;
  beforeAll(async () => {
    server = await startTestServer();
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser.close();
    await server.stop();
  });

  test.each(["/docs", "/docs/"])("%s lists every REST route and sends a request to one", async (path) => {
    const page = await browser.newPage();
    const problems = await watchPage(page, server.origin);
    const response = await page.goto(server.origin + path);
    expect(response?.headers()["content-security-policy"]).toContain("default-src 'none'");
    await page.locator(".opblock").first().waitFor();
    const summaries = await page.locator(".opblock-summary-path").allInnerTexts();
    expect(summaries.map((text) => text.replaceAll("\u200b", ""))).toEqual([
      "/invite_links/{invite_link_id}",
      "/invite_links/all",
      "/invite_links",
      "/tags",
      "/tags",
      "/tags/types",
      "/tags/{tag_id}",
      "/tags/{tag_id}",
      "/export",
      "/import",
    ]);

    await page.getByRole("button", { name: "Authorize" }).first().click();
    await page.getByLabel("auth-bearer-value").fill(server.token);
    await page.getByRole("button", { name: "Apply credentials" }).click();
    await page.getByRole("button", { name: "Close" }).first().click();
    const types = page.locator("#operations-tags-listTagTypes");
    await types.locator(".opblock-summary-control").click();
    const answered = page.waitForResponse(`${server.origin}/tags/types`);
    await types.getByRole("button", { name: "Execute" }).click();
    expect((await answered).status()).toBe(200);
    await types.locator(".live-responses-table").getByText("Platform").waitFor();
    expect(problems).toEqual({ foreignRequests: [], consoleMessages: [] });
    await page.close();
  });
});

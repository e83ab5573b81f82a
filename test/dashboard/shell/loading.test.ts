import { brotliCompressSync, gzipSync } from "node:zlib";
import type { Response } from "playwright-core";
import { expect, test } from "vitest";
import { describeInChromium } from "../../support/chromium.js";
import {
  button,
  dialog,
  open,
  page,
  problems,
  rows,
  shows,
  showsSummary,
  useDashboard,
} from "../../support/dashboardPage.js";

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

  /** Cuts off some of the built files. @returns what lets them through again */
  async function cutOff(files: RegExp): Promise<() => Promise<void>> {
    await page.route(files, (route) => route.abort());
    return () => page.unroute(files);
  }

  test("a page whose files do not come leaves the others, and is loaded when it is shown again", async () => {
    await open();
    await showsSummary();
    const restore = await cutOff(/assets\/requests/i);
    const go = (name: RegExp) => page.getByRole("navigation").getByRole("link", { name }).click();
    await go(/^Requests/);
    await page.getByRole("heading", { name: "This page could not be loaded" }).waitFor();
    await go(/^Links/);
    await showsSummary();
    await go(/^Requests/);
    await page.getByRole("heading", { name: "This page could not be loaded" }).waitFor();
    await restore();
    await button("Try again").click();
    await page.getByRole("heading", { name: "Requests", level: 1 }).waitFor();
    // Its style sheet has come, too.
    await shows(() =>
      page.locator(".request-head").evaluate((element) => getComputedStyle(element).display),
    ).toBe("flex");
    problems.consoleMessages.splice(0);
  });

  test("a dialog whose files do not come leaves the page, and a page can be reloaded if trying again does not help", async () => {
    await open();
    await showsSummary();
    const jump = () => page.keyboard.press("Control+k");
    const create = () => button("Create link").click();
    const more = () =>
      rows()
        .first()
        .getByRole("button", { name: /^More actions/ })
        .click();
    for (const [file, show, isShown] of [
      [/assets\/(palette|keysdialog)/i, jump, dialog().getByRole("combobox", { name: "Search or jump" })],
      [/assets\/createlink/i, create, dialog().getByLabel("Name")],
      [/assets\/rowmenu/i, more, page.getByRole("menuitem", { name: "QR code" })],
    ] as const) {
      const restore = await cutOff(file);
      await show();
      await dialog().getByRole("heading", { name: "This could not be loaded" }).waitFor();
      await button("Try again", dialog()).click();
      await button("Reload", dialog()).waitFor();
      await page.keyboard.press("Escape");
      await dialog().waitFor({ state: "detached" });
      await showsSummary();
      await restore();
      await show();
      await isShown.waitFor();
      await page.keyboard.press("Escape");
      await isShown.waitFor({ state: "detached" });
    }
    problems.consoleMessages.splice(0);
  });

  test("a dialog whose texts do not come leaves the page, and trying again loads them", async () => {
    await open();
    await showsSummary();
    // The texts of the first page are loaded already.
    const restore = await cutOff(/assets\/en-/);
    await page.keyboard.press("Control+k");
    await dialog().getByRole("heading", { name: "This could not be loaded" }).waitFor();
    await button("Close", dialog()).waitFor();
    await restore();
    await button("Try again", dialog()).click();
    await dialog().getByRole("combobox", { name: "Search or jump" }).waitFor();
    problems.consoleMessages.splice(0);
  });

  test("an export and a language whose files do not come say so, and come when they are chosen again", async () => {
    await open();
    await showsSummary();
    const restore = await cutOff(/assets\/(exportlinks|ru-)/i);
    await button("Export CSV").click();
    const messages = page.locator(".toast");
    await messages.getByText("The links could not be exported. The server cannot be reached.").waitFor();
    const language = page.getByRole("combobox", { name: "Language" });
    await language.selectOption("Русский");
    await messages.getByText("The server cannot be reached.", { exact: true }).waitFor();
    expect(await language.inputValue()).toBe("en");
    await restore();
    const download = page.waitForEvent("download");
    await button("Export CSV").click();
    await download;
    await language.selectOption("Русский");
    await page.getByRole("searchbox", { name: "Поиск ссылок" }).waitFor();
    problems.consoleMessages.splice(0);
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

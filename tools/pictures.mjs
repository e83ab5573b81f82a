// `npm run pictures`: takes the pictures of README and docs from a new server with the sample, in a Chromium of the machine:
// the program in CHROMIUM, or the first one on the PATH.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { startThisServer } from "../bench/processes.mjs";

const DOCS = fileURLToPath(new URL("../docs/", import.meta.url));

/** From a page's main content to its picture, in milliseconds. */
const SETTLE_MS = 2_000;

/** @typedef {import("playwright-core").Page} Page */

/** Waits for the rows, and for what is counted after them. @param {Page} page */
async function links(page) {
  await page.locator("tbody tr").nth(5).waitFor();
  await page.locator(".bars li").first().waitFor();
}

/** Waits for the chart. @param {Page} page */
const chart = (page) => page.locator(".u-over").waitFor();

/**
 * Each picture with its address, its size, the color scheme, and what makes the page ready.
 * @type {{ file: string, path: string, width: number, height: number, scheme: "light" | "dark", ready: (page: Page) => Promise<void> }[]}
 */
const PICTURES = [
  { file: "dashboard-light.png", path: "/", width: 1280, height: 800, scheme: "light", ready: links },
  { file: "dashboard-dark.png", path: "/", width: 1280, height: 800, scheme: "dark", ready: links },
  { file: "dashboard-narrow.png", path: "/", width: 390, height: 844, scheme: "light", ready: links },
  {
    file: "performance.png",
    path: "/performance",
    width: 1280,
    height: 800,
    scheme: "light",
    ready: chart,
  },
  {
    file: "link.png",
    path: "/",
    width: 1280,
    height: 800,
    scheme: "light",
    async ready(page) {
      await page.getByRole("link", { name: "Friday quiz" }).click();
      await chart(page);
    },
  },
  {
    file: "graphiql.png",
    path: "/graphql",
    width: 1360,
    height: 860,
    scheme: "light",
    async ready(page) {
      await page.locator(".graphiql-query-editor .view-line").first().waitFor();
      await page.getByText("ByTags", { exact: true }).first().click();
      await page.getByRole("button", { name: "Execute query" }).click();
      await page.locator(".result-window").getByText('"inviteLinks"').waitFor();
    },
  },
];

function findChromium() {
  const names = ["chromium", "chromium-browser", "google-chrome"];
  const find = names.map((name) => `command -v ${name}`).join(" || ");
  return process.env["CHROMIUM"] || execFileSync("sh", ["-c", find], { encoding: "utf8" }).trim();
}

const folder = mkdtempSync(join(tmpdir(), "invite-links-pictures-"));
const server = startThisServer({ DATA_DIR: folder, TELEGRAM_SANDBOX: "quiet", NODE_ENV: "development" });
const browser = await chromium.launch({ executablePath: findChromium() });
try {
  const origin = new URL(await server.ready()).origin;
  for (const { file, path, width, height, scheme, ready } of PICTURES) {
    const context = await browser.newContext({
      viewport: { width, height },
      colorScheme: scheme,
      locale: "en-US",
      timezoneId: "UTC",
      reducedMotion: "reduce",
    });
    const page = await context.newPage();
    await page.goto(origin + path);
    await ready(page);
    // What comes later, such as the number of pending requests. A page with a subscription is never without requests.
    await page.waitForTimeout(SETTLE_MS);
    await page.screenshot({ path: join(DOCS, file) });
    await context.close();
    process.stdout.write(`docs/${file}\n`);
  }
} finally {
  await browser.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}

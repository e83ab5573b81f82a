// Tests in a browser: a Chromium of the machine, driven by playwright-core.

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { describe, it } from "vitest";

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The program in the variable CHROMIUM, or the first Chromium on the PATH; undefined if there is none. */
function findChromium(): string | undefined {
  const { CHROMIUM, PATH = "" } = process.env;
  const folders = PATH.split(delimiter);
  const names = ["chromium", "chromium-browser", "google-chrome"];
  return CHROMIUM || names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isProgram);
}

const executablePath = findChromium();

/** Registers a suite that needs Chromium. Without one, the suite is one skipped test. */
export function describeInChromium(title: string, suite: () => void): void {
  describe(title, () => {
    if (executablePath !== undefined) suite();
    else it.skip("skipped: neither CHROMIUM nor the PATH has a Chromium");
  });
}

export const launchChromium = (): Promise<Browser> =>
  chromium.launch({ ...(executablePath === undefined ? {} : { executablePath }) });

/** Records of what no page may do. */
export interface PageProblems {
  /** Addresses outside the server that the page requested. The requests are blocked. */
  readonly foreignRequests: string[];
  /** Warnings and errors on the console, and uncaught errors. */
  readonly consoleMessages: string[];
}

/** Begins to record the problems of a page. @param origin the server's. */
export async function watchPage(page: Page, origin: string): Promise<PageProblems> {
  const problems: PageProblems = { foreignRequests: [], consoleMessages: [] };
  // Shorter than the time limit of a test, so that a failure names the element that was waited for.
  page.setDefaultTimeout(100_000);
  await page.route(
    (url) => url.origin !== origin && url.protocol !== "data:",
    (route) => {
      problems.foreignRequests.push(route.request().url());
      return route.abort();
    },
  );
  page.on("console", (message) => {
    if (["warning", "error"].includes(message.type())) problems.consoleMessages.push(message.text());
  });
  page.on("pageerror", (error) => problems.consoleMessages.push(String(error)));
  return problems;
}

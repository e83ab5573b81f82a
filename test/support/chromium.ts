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

/** The CHROMIUM of the environment, or the first on the PATH; undefined where there is none. */
function findChromium(): string | undefined {
  const { CHROMIUM, PATH = "" } = process.env;
  const folders = PATH.split(delimiter);
  const names = ["chromium", "chromium-browser", "google-chrome"];
  return CHROMIUM || names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isProgram);
}

const executablePath = findChromium();

/** Without a Chromium the suite is one skipped test that says so. */
export function describeInChromium(title: string, suite: () => void): void {
  describe(title, () => {
    if (executablePath !== undefined) suite();
    else it.skip("is left out: neither CHROMIUM nor the PATH names a Chromium");
  });
}

export const launchChromium = (): Promise<Browser> =>
  chromium.launch({ ...(executablePath === undefined ? {} : { executablePath }) });

/** What no page may do. */
export interface Watched {
  /** What it asked of others than the server. */
  readonly strangers: string[];
  /** What it said on its console, or threw. */
  readonly complaints: string[];
}

export async function watch(page: Page, origin: string): Promise<Watched> {
  const watched: Watched = { strangers: [], complaints: [] };
  // Less than a test may take, so that it says for what it waited.
  page.setDefaultTimeout(30_000);
  await page.route(
    (url) => url.origin !== origin && url.protocol !== "data:",
    (route) => {
      watched.strangers.push(route.request().url());
      return route.abort();
    },
  );
  page.on("console", (message) => {
    if (["warning", "error"].includes(message.type())) watched.complaints.push(message.text());
  });
  page.on("pageerror", (error) => watched.complaints.push(String(error)));
  return watched;
}

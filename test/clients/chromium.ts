import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { Page } from "playwright-core";

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

/** For chromium.launch. */
export const LAUNCH = executablePath === undefined ? {} : { executablePath };
/** Why there is none to launch; null where there is. */
export const MISSING = executablePath === undefined ? "neither CHROMIUM nor the PATH names a Chromium" : null;

/** What goes wrong in a page, as it happens. */
export interface Misdeeds {
  /** What it asked of others than the server. */
  readonly strangers: string[];
  /** What it said on its console, or threw. */
  readonly complaints: string[];
}

/** Keeps a page to one server. */
export async function watch(page: Page, origin: string): Promise<Misdeeds> {
  const misdeeds: Misdeeds = { strangers: [], complaints: [] };
  // Less than a test may take, so that it says for what it waited.
  page.setDefaultTimeout(30_000);
  await page.route(
    (asked) => asked.origin !== origin && asked.protocol !== "data:",
    (route) => {
      misdeeds.strangers.push(route.request().url());
      return route.abort();
    },
  );
  page.on("console", (message) => {
    if (["warning", "error"].includes(message.type())) misdeeds.complaints.push(message.text());
  });
  page.on("pageerror", (error) => misdeeds.complaints.push(String(error)));
  return misdeeds;
}

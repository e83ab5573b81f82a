import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium, type Page, type Response } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { startTestServer, type TestServer } from "../support/server.js";
import { describeWith } from "./support.js";

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

// A browser takes its time where others share the machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

describeWith(
  "GraphiQL in Chromium, without internet",
  executablePath === undefined ? "neither CHROMIUM nor the PATH names a Chromium" : null,
  () => {
    let server: TestServer;
    let browser: Browser;
    let page: Page;
    /** What the page asked of others than the server. */
    let strangers: string[];
    /** What it said on its console, or threw. */
    let complaints: string[];
    beforeAll(async () => {
      server = await startTestServer();
      browser = await chromium.launch({ ...(executablePath === undefined ? {} : { executablePath }) });
    });
    afterAll(async () => {
      await browser.close();
      await server.stop();
    });
    beforeEach(async () => {
      strangers = [];
      complaints = [];
      page = await browser.newPage();
      // Less than a test may take, so that it says for what it waited.
      page.setDefaultTimeout(30_000);
      await page.route(
        ({ origin }) => origin !== server.origin,
        (route) => {
          strangers.push(route.request().url());
          return route.abort();
        },
      );
      page.on("console", (message) => {
        if (["warning", "error"].includes(message.type())) complaints.push(message.text());
      });
      page.on("pageerror", (error) => complaints.push(String(error)));
      await page.clock.install();
      await page.goto(server.url);
      await page.locator(".graphiql-query-editor .view-line").first().waitFor();
      return async () => {
        expect({ strangers, complaints }).toEqual({ strangers: [], complaints: [] });
        await page.close();
      };
    });

    const operationOf = (response: Response): unknown =>
      response.request().method() === "POST" && response.request().postDataJSON().operationName;

    test("every example runs as it stands", async () => {
      const tabs = page.locator(".graphiql-tab-button");
      const names = await tabs.allInnerTexts();
      expect(names).toEqual(["Links", "ByTags", "Create", "Viewer"]);
      for (const name of names) {
        await tabs.getByText(name, { exact: true }).click();
        await page.locator(".graphiql-query-editor").getByText(name, { exact: true }).waitFor();
        // GraphiQL looks which operation an editor has a tenth of a second after it changed.
        await page.clock.fastForward(1_000);
        const answered = page.waitForResponse((response) => operationOf(response) === name);
        await page.getByRole("button", { name: "Execute query" }).click();
        const { data, errors } = await (await answered).json();
        expect(errors).toBeUndefined();
        for (const field of Object.keys(data)) {
          expect(data[field].__typename ?? "no union").not.toMatch(/Error$/);
          await page.locator(".result-window").getByText(`"${field}"`, { exact: true }).waitFor();
        }
      }
    });

    test("an operation is run from the keyboard", async () => {
      const answered = page.waitForResponse((response) => operationOf(response) === "Links");
      await page.locator(".graphiql-query-editor .view-line").first().click();
      await page.keyboard.press("Control+Enter");
      const { data } = await (await answered).json();
      expect(data.inviteLinks.nodes.length).toBeGreaterThan(0);
    });

    test("the documentation shows the graph", async () => {
      await page.getByRole("button", { name: "Show Documentation Explorer" }).click();
      const docs = page.locator(".graphiql-plugin");
      await docs.getByText("Mutation", { exact: true }).click();
      await docs.getByText("createInviteLink", { exact: true }).click();
      await docs.getByText("Makes an invite link through the helper bot.").waitFor();
      await docs.getByText("CreateInviteLinkInput!", { exact: false }).first().waitFor();
    });
  },
);

import type { Browser, BrowserContext, Page, Response } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { violationsOf } from "../support/accessibility.js";
import { describeInChromium, launchChromium, type PageProblems, watchPage } from "../support/chromium.js";
import { buildDashboard } from "../support/dashboard.js";
import { CHANNEL, startTestServer, type TestServer } from "../support/server.js";

// A browser is slow on a busy machine.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

describeInChromium("GraphiQL in Chromium, without internet", () => {
  let server: TestServer;
  let browser: Browser;
  let page: Page;
  let problems: PageProblems;
  beforeAll(async () => {
    server = await startTestServer();
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser.close();
    await server.stop();
  });
  beforeEach(async () => {
    page = await browser.newPage();
    problems = await watchPage(page, server.origin);
    await page.clock.install();
    await page.goto(server.url);
    await page.locator(".graphiql-query-editor .view-line").first().waitFor();
    return async () => {
      expect(problems).toEqual({ foreignRequests: [], consoleMessages: [] });
      await page.close();
    };
  });

  const operationOf = (response: Response): unknown =>
    response.request().method() === "POST" && response.request().postDataJSON().operationName;

  const tabs = () => page.locator(".graphiql-tab-button");
  const openTab = async (name: string) => {
    await tabs().getByText(name, { exact: true }).click();
    await page.locator(".graphiql-query-editor").getByText(name, { exact: true }).waitFor();
    // GraphiQL reads the operations of an editor 0.1 s after a change.
    await page.clock.fastForward(1_000);
  };

  test("every example query of GraphiQL runs unchanged", async () => {
    const names = await tabs().allInnerTexts();
    expect(names).toEqual([
      "Links",
      "Members",
      "Live",
      "JoinRequests",
      "Decide",
      "ByTags",
      "Create",
      "CreateMany",
      "Batches",
      "CreateWebhook",
      "Connect",
      "CreateTag",
      "CreateToken",
      "Changes",
      "Viewer",
    ]);
    for (const name of names.filter((one) => one !== "Live")) {
      await openTab(name);
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

  test("the example subscription of GraphiQL shows each event when it happens, until it is stopped", async () => {
    await openTab("Live");
    const began = page.waitForResponse((response) => response.url().includes("query=subscription+Live"));
    await page.getByRole("button", { name: "Execute query" }).click();
    expect((await began).headers()["content-type"]).toBe("text/event-stream");
    const { control } = server.sandbox;
    const link = control
      .links(CHANNEL)
      .find(({ isRevoked, createsJoinRequest }) => !isRevoked && !createsJoinRequest);
    for (const id of [4_100_001, 4_100_002]) {
      control.join(CHANNEL, { id, is_bot: false, first_name: "Somebody" }, { url: link?.url ?? "" });
      await page.locator(".result-window").getByText(String(id), { exact: true }).waitFor();
    }
    await page.getByRole("button", { name: "Stop query" }).click();
    await page.getByRole("button", { name: "Execute query" }).waitFor();
    await expect
      .poll(() => server.log.filter(({ operation, status }) => operation === "Live" && status === 499).length)
      .toBe(1);
  });

  test("Control+Enter in GraphiQL runs the operation", async () => {
    const answered = page.waitForResponse((response) => operationOf(response) === "Links");
    await page.locator(".graphiql-query-editor .view-line").first().click();
    await page.keyboard.press("Control+Enter");
    const { data } = await (await answered).json();
    expect(data.inviteLinks.nodes.length).toBeGreaterThan(0);
  });

  test("the documentation explorer of GraphiQL shows the schema", async () => {
    await page.getByRole("button", { name: "Show Documentation Explorer" }).click();
    const docs = page.locator(".graphiql-plugin");
    await docs.getByText("Mutation", { exact: true }).click();
    await docs.getByText("createInviteLink", { exact: true }).click();
    await docs.getByText("Creates an invite link through the helper bot.").waitFor();
    await docs.getByText("CreateInviteLinkInput!", { exact: false }).first().waitFor();
  });

  test("a link above GraphiQL leads back to the dashboard", async () => {
    await page.getByRole("link", { name: "Dashboard" }).click();
    await page.getByRole("heading", { level: 1 }).waitFor();
    expect(new URL(page.url()).pathname).toBe("/");
  });
});

describeInChromium("GraphiQL on another machine than the server's", () => {
  let server: TestServer;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let problems: PageProblems;
  beforeAll(async () => {
    await buildDashboard();
    server = await startTestServer();
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser.close();
    await server.stop();
  });
  const openPage = async (path: string) => {
    page = await context.newPage();
    problems = await watchPage(page, server.origin);
    await page.goto(`${server.origin}${path}`);
  };
  beforeEach(async () => {
    context = await browser.newContext({ extraHTTPHeaders: { "x-forwarded-for": "192.0.2.1" } });
    return () => context.close();
  });
  const editor = () => page.locator(".graphiql-query-editor .view-line").first();
  const tokenField = () => page.getByLabel("API token");

  test("GraphiQL asks for a token before it sends a request, and again if the server does not accept it", async () => {
    await openPage("/graphql");
    await tokenField().waitFor();
    expect(await violationsOf(page)).toEqual([]);
    await tokenField().fill("nobody's");
    await page.getByRole("button", { name: "Open GraphiQL" }).click();
    await page.getByText("The server does not accept this token.").waitFor();
    // The browser's own message about status 401.
    expect(problems.consoleMessages.splice(0).join()).toMatch(/401/);
    expect(await violationsOf(page)).toEqual([]);
    await page.emulateMedia({ colorScheme: "dark" });
    expect(await violationsOf(page)).toEqual([]);
    await tokenField().fill(server.token);
    await page.keyboard.press("Enter");
    await editor().waitFor();
    await page.getByText(`Bearer ${server.token}`).waitFor();
    await page.reload();
    await editor().waitFor();
    expect(problems).toEqual({ foreignRequests: [], consoleMessages: [] });
  });

  test("GraphiQL uses the session of a dashboard in another tab, also one that is begun later", async () => {
    await openPage("/graphql");
    await tokenField().waitFor();
    const waiting = page;
    await openPage("/");
    await tokenField().fill(server.token);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("button", { name: "Sign out" }).waitFor();
    await waiting.locator(".graphiql-query-editor .view-line").first().waitFor();
    await openPage("/graphql");
    await editor().waitFor();
    expect(await page.locator("#sign-in").count()).toBe(0);
    expect(problems).toEqual({ foreignRequests: [], consoleMessages: [] });
  });
});

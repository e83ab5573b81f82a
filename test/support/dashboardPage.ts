// A page of the dashboard in Chromium, and the words for what is on it. Each test file has one server and one page.

import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core";
import { beforeAll, beforeEach, expect, vi } from "vitest";
import { launchChromium, type PageProblems, watchPage } from "./chromium.js";
import { buildDashboard } from "./dashboard.js";
import { CHANNEL, startTestServer, type TestServer } from "./server.js";

export let server: TestServer;
export let browser: Browser;
export let page: Page;
export let problems: PageProblems;
/** How many subscriptions the page has begun since it was loaded. */
let subscriptions = 0;

/**
 * Starts the browser and the server for the tests of a file, and checks after each test that its page had no problem.
 * @param isPerTest whether each test has a server of its own
 * @param startServer starts the server, by default with the sample
 */
export function useDashboard({ isPerTest = false, startServer = () => startTestServer() } = {}): void {
  // A browser is slow on a busy machine.
  vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });
  const start = async () => {
    server = await startServer();
    return () => server.stop();
  };
  beforeAll(async () => {
    await buildDashboard();
    browser = await launchChromium();
    return () => browser.close();
  });
  if (isPerTest) beforeEach(start);
  else beforeAll(start);
  beforeEach(() => async () => {
    for (const context of browser.contexts()) await context.close();
    expect(problems).toEqual({ foreignRequests: [], consoleMessages: [] });
  });
}

/**
 * Opens the dashboard in a browser of its own, with an address that may be cut off from its path.
 * @param now the time at which the browser's clock stands still; without it, the clock goes
 */
export async function open(options: BrowserContextOptions = {}, path = "/", now?: Date): Promise<Page> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    locale: "en-US",
    permissions: ["clipboard-read", "clipboard-write"],
    ...options,
  });
  page = await context.newPage();
  problems = await watchPage(page, server.origin);
  countSubscriptions(page);
  if (now) await page.clock.setFixedTime(now);
  await page.goto(`${server.origin}${path}`);
  return page;
}

function countSubscriptions(of: Page): void {
  subscriptions = 0;
  of.on("request", (request) => {
    if (request.isNavigationRequest()) subscriptions = 0;
  });
  of.on("response", (response) => {
    if (response.headers()["content-type"]?.startsWith("text/event-stream")) subscriptions += 1;
  });
}

/** Waits until the page is told of changes. It is not told of those before. */
export const listens = () => shows(async () => subscriptions).toBeGreaterThan(0);

/** Options of a browser on another machine, which gets no token from the page. */
export const ELSEWHERE: BrowserContextOptions = { extraHTTPHeaders: { "x-forwarded-for": "192.0.2.1" } };

export async function signIn(token: string): Promise<void> {
  await page.getByLabel("API token").fill(token);
  await button("Sign in").click();
}

/** The server's own answer about the links of the channel, for comparison with the page. Active links unless filtered. */
export async function linksOfServer(
  filter: object = { isRevoked: false, isExpired: false },
  orderBy: readonly object[] | null = null,
) {
  const { data } = await server.ask(
    `query ($filter: InviteLinkFilter, $orderBy: [InviteLinkOrder!]) {
      inviteLinks(channelId: ${CHANNEL}, filter: $filter, orderBy: $orderBy, first: 100) {
        totalCount totals { budget } nodes { id name url budget isRevoked tags { name } }
        facets { type { name } withoutTypeCount tags { count tag { name } } }
      } }`,
    { filter, orderBy },
  );
  return data.inviteLinks;
}

export const ACTIVE = { isRevoked: false, isExpired: false };

export const dollars = (amount: string): string =>
  new Intl.NumberFormat("en-US", { style: "currency", currency: "USD" }).format(
    amount as Intl.StringNumericLiteral,
  );
export const button = (name: string | RegExp, within: Page | Locator = page): Locator =>
  within.getByRole("button", { name, exact: true });
export const rows = (): Locator => page.locator("tbody tr");
export const row = (name: string): Locator => rows().filter({ has: page.getByText(name, { exact: true }) });
export const names = (): Promise<string[]> => page.locator(".link-name").allInnerTexts();
export const dialog = (): Locator => page.getByRole("dialog").last();
export const filters = (): Locator => page.getByRole("complementary", { name: "Filters" });
export const tagFilter = (name: string): Locator => filters().locator("label").filter({ hasText: name });

/** Waits until the page shows a value. A failure names the last value that was shown. */
export const shows = (what: () => Promise<unknown>) => expect.poll(what, { timeout: 60_000 });
export const count = (): Promise<string> => page.getByTestId("count").innerText();
export const budget = (): Promise<string> => page.getByTestId("budget").innerText();
export const nameList = (list: { nodes: { name: string }[] }): string[] => list.nodes.map(({ name }) => name);

export async function showsSummary(filter: object = ACTIVE): Promise<void> {
  const expected = await linksOfServer(filter);
  await shows(async () => [await count(), await budget()]).toEqual([
    String(expected.totalCount),
    dollars(expected.totals.budget),
  ]);
}

export const isFocused = (element: Locator): Promise<boolean> =>
  element.evaluate((one) => one === document.activeElement);

/** How much wider the content is than the window. */
export const overflow = (): Promise<unknown> =>
  page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");

/**
 * Holds back the requests of an operation until the returned function is called.
 * @param status that of the answers then, in place of sending the requests to the server
 */
export async function holdRequests(operationName: string, status?: number): Promise<() => void> {
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  await page.route("**/graphql", async (route, request) => {
    if (request.postDataJSON()?.operationName !== operationName) return route.fallback();
    await released;
    return status === undefined ? route.fallback() : route.fulfill({ status, body: "" });
  });
  return release;
}

/** Has the server fail at an operation until the returned function is called, which also forgets what the browser said. */
export async function failRequests(operationName: string): Promise<() => void> {
  let isFailing = true;
  await page.route("**/graphql", (route, request) =>
    isFailing && request.postDataJSON()?.operationName === operationName
      ? route.fulfill({ status: 500, body: "{}" })
      : route.fallback(),
  );
  return () => {
    isFailing = false;
    problems.consoleMessages.splice(0);
  };
}

/** Creates a link in the form and waits until the form is closed. */
export async function createLink(name: string, amount = ""): Promise<void> {
  await button("Create link").click();
  await dialog().getByLabel("Name").fill(name);
  await dialog().getByLabel("Budget, USD").fill(amount);
  await button("Create link", dialog()).click();
  await dialog().waitFor({ state: "detached" });
}

/** Opens an entry of a link's menu. */
export async function choose(action: string, name: string): Promise<void> {
  await button(`More actions for ${name}`).click();
  await page.getByRole("menuitem", { name: action }).click();
}

/** Rests the pointer on the last message with a text, which then stays. */
export const holdToast = (text: string): Promise<void> =>
  page.locator(".toast p").filter({ hasText: text }).last().hover();

/** Chooses a tag in the form of a link. */
export async function chooseTag(type: string, tag: string): Promise<void> {
  await dialog().getByRole("combobox", { name: type }).fill(tag);
  await dialog().getByRole("option", { name: tag, exact: true }).click();
}

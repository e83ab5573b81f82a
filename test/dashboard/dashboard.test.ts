import jsqr from "jsqr";
import type { Browser, BrowserContextOptions, Locator, Page, Request } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { describeInChromium, launchChromium, type PageProblems, watchPage } from "../support/chromium.js";
import { buildDashboard } from "../support/dashboard.js";
import { CHANNEL, CREATIVE, PLATFORM, startTestServer, type TestServer, YOUTUBE } from "../support/server.js";

// A browser is slow on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

// The types of jsqr describe an ES module, but the package is CommonJS.
const decode = jsqr as unknown as typeof jsqr.default;

let server: TestServer;
let browser: Browser;
let page: Page;
let problems: PageProblems;

async function open(options: BrowserContextOptions = {}, path = "/"): Promise<void> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    locale: "en-US",
    permissions: ["clipboard-read", "clipboard-write"],
    ...options,
  });
  page = await context.newPage();
  problems = await watchPage(page, server.origin);
  await page.goto(`${server.origin}${path}`);
}

/** The server's own answer about the links of the channel, for comparison with the page. */
async function linksOfServer(filter: object = {}, orderBy: readonly object[] | null = null) {
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

const dollars = (amount: string): string =>
  new Intl.NumberFormat("en-US", { style: "currency", currency: "USD" }).format(
    amount as Intl.StringNumericLiteral,
  );
const button = (name: string | RegExp, within: Page | Locator = page) =>
  within.getByRole("button", { name, exact: true });
const rows = () => page.locator("tbody tr");
const row = (name: string) => rows().filter({ has: page.getByText(name, { exact: true }) });
const names = () => page.locator(".link-name").allInnerTexts();
const dialog = () => page.getByRole("dialog");
const filters = () => page.getByRole("complementary", { name: "Filters" });
const tagFilter = (name: string) => filters().locator("label").filter({ hasText: name });

/** Waits until the page shows a value. A failure names the last value that was shown. */
const shows = (what: () => Promise<unknown>) => expect.poll(what, { timeout: 20_000 });
const count = () => page.getByTestId("count").innerText();
const budget = () => page.getByTestId("budget").innerText();
const nameList = (list: { nodes: { name: string }[] }) => list.nodes.map(({ name }) => name);

async function showsSummary(filter: object = {}): Promise<void> {
  const expected = await linksOfServer(filter);
  await shows(async () => [await count(), await budget()]).toEqual([
    String(expected.totalCount),
    dollars(expected.totals.budget),
  ]);
}

/** Creates a link in the form and waits until the form is closed. */
async function createLink(name: string, amount = ""): Promise<void> {
  await button("New link").click();
  await dialog().getByLabel("Name").fill(name);
  await dialog().getByLabel("Budget, USD").fill(amount);
  await button("Create link", dialog()).click();
  await dialog().waitFor({ state: "detached" });
}

describeInChromium("the dashboard in Chromium, without internet", () => {
  beforeAll(async () => {
    await buildDashboard();
    server = await startTestServer();
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser.close();
    await server.stop();
  });
  beforeEach(() => async () => {
    expect(problems).toEqual({ foreignRequests: [], consoleMessages: [] });
    await page.context().close();
  });

  describe("a list", () => {
    test("the list, its sums and the counts of all tags follow the filter", async () => {
      await open();
      await showsSummary();
      await tagFilter("YouTube").click();
      const filter = { tagGroups: [{ tagTypeId: PLATFORM, tagIds: [YOUTUBE] }] };
      await showsSummary(filter);
      const expected = await linksOfServer(filter);
      await shows(names).toEqual(nameList(expected));
      for (const { type, withoutTypeCount, tags } of expected.facets) {
        for (const { tag, count } of tags)
          expect(await tagFilter(tag.name).innerText()).toMatch(new RegExp(`\\b${count}\\s+links`));
        expect(await tagFilter(`without ${type.name}`).innerText()).toMatch(
          new RegExp(`\\b${withoutTypeCount}\\s+links`),
        );
      }
      await tagFilter("without Creative").click();
      const without = { tagGroups: [...filter.tagGroups, { tagTypeId: CREATIVE, withoutType: true }] };
      await showsSummary(without);
      expect((await linksOfServer(without)).totalCount).toBeLessThan(expected.totalCount);
      await button("Clear the filter").click();
      await showsSummary();
    });

    test("the list is filtered by name and state, and a message is shown if nothing matches", async () => {
      await open();
      await filters().getByLabel("Name contains").fill("КОФЕ");
      await shows(names).toEqual(nameList(await linksOfServer({ name: "кофе" })));
      await filters().getByLabel("Name contains").fill("no such link");
      await page.getByText("No link matches this filter.").waitFor();
      await button("Show all links").click();
      await filters().getByText("revoked", { exact: true }).click();
      const revoked = await linksOfServer({ isRevoked: true });
      expect(revoked.totalCount).toBeGreaterThan(0);
      await shows(names).toEqual(nameList(revoked));
      expect(await rows().locator("[data-kind=ended]").allInnerTexts()).toEqual(
        revoked.nodes.map(() => "revoked"),
      );
    });

    test("the list loads page by page, contains each link once and keeps its length after a reload", async () => {
      await open();
      const all = nameList(await linksOfServer());
      expect(all.length).toBeGreaterThan(20);
      await shows(names).toEqual(all.slice(0, 20));
      const pages: Request[] = [];
      page.on("request", (request) => {
        if (request.postDataJSON()?.operationName === "Links") pages.push(request);
      });
      await button("Show more").click();
      await shows(names).toEqual(all);
      // Only the missing page was loaded.
      expect(pages.map((request) => typeof request.postDataJSON().variables.after)).toEqual(["string"]);
      expect(await button("Show more").count()).toBe(0);
      await page.reload();
      await shows(names).toEqual(all);
    });

    test("a page that could not be loaded is reported, and Try again loads it", async () => {
      await open();
      await shows(() => rows().count()).toBe(20);
      await page.route("**/graphql", (route, request) =>
        request.postDataJSON().variables.after ? route.abort() : route.fallback(),
      );
      await button("Show more").click();
      await page.getByRole("alert").getByText("The links could not be loaded").waitFor();
      expect(await rows().count()).toBe(20);
      // The message of the browser itself.
      expect(problems.consoleMessages.splice(0).join()).toMatch(/ERR_FAILED/);
      await page.unroute("**/graphql");
      await button("Try again").click();
      await shows(names).toEqual(nameList(await linksOfServer()));
      expect(await page.getByRole("alert").count()).toBe(0);
    });

    test("a click on a column heading sorts the list", async () => {
      await open();
      await button("Budget").click();
      await shows(names).toEqual(
        nameList(await linksOfServer({}, [{ field: "BUDGET", direction: "DESC" }])).slice(0, 20),
      );
      expect(await page.getByRole("columnheader", { name: "Budget" }).getAttribute("aria-sort")).toBe(
        "descending",
      );
      await button(/^Budget/).click();
      await shows(names).toEqual(
        nameList(await linksOfServer({}, [{ field: "BUDGET", direction: "ASC" }])).slice(0, 20),
      );
    });

    test("the address contains the filter and the order, so reloading and going back restore the list", async () => {
      await open();
      await tagFilter("Meme").click();
      const memes = nameList(await linksOfServer({ tagGroups: await groupOf("Creative", "Meme") }));
      await shows(names).toEqual(memes);
      await button(/^Budget/).click();
      const dearest = nameList(
        await linksOfServer({ tagGroups: await groupOf("Creative", "Meme") }, [
          { field: "BUDGET", direction: "DESC" },
        ]),
      );
      await shows(names).toEqual(dearest);
      await page.reload();
      await shows(names).toEqual(dearest);
      expect(await tagFilter("Meme").getByRole("checkbox").isChecked()).toBe(true);
      await page.goBack();
      await shows(names).toEqual(memes);
      await page.goBack();
      await showsSummary();
      await page.goForward();
      await shows(names).toEqual(memes);
    });

    test("Show all links leaves a filter that the server rejects, as from an old address", async () => {
      const gone = btoa("Tag:01991000-0000-7000-8000-0000000000ff");
      const type = btoa(`TagType:${PLATFORM}`);
      await open({}, `/?${new URLSearchParams({ [`tags.${type}`]: gone })}`);
      await page.getByRole("alert").getByText("The links could not be loaded").waitFor();
      await button("Show all links").click();
      await showsSummary();
      await shows(() => rows().count()).toBe(20);
    });

    test("choosing another channel shows its links in its currency", async () => {
      await open();
      await showsSummary();
      await page
        .getByRole("combobox", { name: "Channel", exact: true })
        .selectOption("Coffee & Code: the chat");
      await page.getByRole("heading", { name: "Coffee & Code: the chat" }).waitFor();
      await shows(budget).toMatch(/^€/);
      await page.reload();
      await shows(budget).toMatch(/^€/);
    });

    test("the chart shows the budget of each tag of a type", async () => {
      await open();
      await page.getByLabel("Tag type of the chart").selectOption("Platform");
      const { data } = await server.ask(
        `{ tags(channelId: ${CHANNEL}, typeId: "${PLATFORM}") { nodes { name inviteLinks { totals { budget } } } } }`,
      );
      const chart = page.getByRole("region", { name: "Budget by tag" });
      for (const { name, inviteLinks } of data.tags.nodes) {
        const bar = chart.getByRole("listitem").filter({ hasText: name });
        await shows(() => bar.innerText()).toContain(dollars(inviteLinks.totals.budget));
      }
    });
  });

  async function groupOf(type: string, tag: string) {
    const { data } = await server.ask(
      `{ tags(channelId: ${CHANNEL}, name: "${tag}") { nodes { id type { id name } } } }`,
    );
    const found = data.tags.nodes.find((node: { type: { name: string } }) => node.type.name === type);
    return [{ tagTypeId: found.type.id, tagIds: [found.id] }];
  }

  describe("a link", () => {
    test("a link is created after its errors are corrected, and is first in the list", async () => {
      await open();
      await showsSummary();
      const before = await linksOfServer();
      await button("New link").click();
      await dialog().getByLabel("Member limit").fill("5");
      await dialog().getByLabel("Members need approval").check();
      await button("Create link", dialog()).click();
      await dialog().getByText("Must not be empty.").waitFor();
      expect(await dialog().getByRole("alert").getAttribute("data-type")).toBe("ValidationError");
      // The first invalid field has the focus and shows its error.
      const name = dialog().getByLabel("Name");
      expect(await name.evaluate((field) => field === document.activeElement)).toBe(true);
      expect(await name.getAttribute("aria-invalid")).toBe("true");
      expect(await dialog().locator(".field-problem").count()).toBe(2);
      await name.fill("Made here");
      await dialog().getByLabel("Members need approval").uncheck();
      await dialog().getByLabel("Budget, USD").fill("99,50");
      await dialog().getByText("YouTube", { exact: true }).click();
      await button("Try again", dialog()).click();
      await dialog().waitFor({ state: "detached" });
      await page.getByText("“Made here” was created.").waitFor();
      await shows(async () => (await names())[0]).toBe("Made here");
      await showsSummary();
      const after = await linksOfServer();
      expect(after.totalCount).toBe(before.totalCount + 1);
      expect(after.nodes[0]).toMatchObject({
        name: "Made here",
        budget: "99.50",
        tags: [{ name: "YouTube" }],
      });
      await shows(() => row("Made here").innerText()).toContain("at most 5");
    });

    test("saving a link sends only the changed fields, and the sums and counts follow", async () => {
      await open();
      await createLink("To change", "10");
      await showsSummary();
      await button("Edit To change").click();
      await dialog().getByLabel("Budget, USD").fill("1234567890.12");
      await dialog().getByText("Meme", { exact: true }).click();
      const sent = page.waitForRequest((request) => request.postDataJSON()?.operationName === "UpdateLink");
      await button("Save", dialog()).click();
      const { input } = (await sent).postDataJSON().variables;
      expect(Object.keys(input).sort()).toEqual(["budget", "id", "tagIds"]);
      await dialog().waitFor({ state: "detached" });
      await shows(() => row("To change").innerText()).toMatch(/\$1,234,567,890\.12/);
      await shows(() => row("To change").locator(".chip").allInnerTexts()).toEqual(["Meme"]);
      await showsSummary();
    });

    test("a link is revoked only after a confirmation", async () => {
      await open();
      await createLink("To revoke");
      await button("Revoke To revoke").click();
      await button("Keep it", dialog()).click();
      await button("Revoke To revoke").click();
      await button("Revoke for good", dialog()).click();
      await dialog().waitFor({ state: "detached" });
      await shows(() => row("To revoke").innerText()).toContain("revoked");
      expect(await button("Revoke To revoke").count()).toBe(0);
      expect((await linksOfServer({ name: "To revoke" })).nodes).toMatchObject([{ isRevoked: true }]);
    });

    test("a link can be copied, and its QR code contains its address", async () => {
      await open();
      const [{ name, url }] = (await linksOfServer()).nodes;
      await button(`Copy ${name}`).click();
      await button(`Copied ${name}`).waitFor();
      expect(await page.evaluate("navigator.clipboard.readText()")).toBe(url);
      await button(`QR code of ${name}`).click();
      const image = page.getByAltText(`QR code of ${url}`);
      const picture = (await image.screenshot()).toString("base64");
      const reader = await browser.newPage();
      // The policy of a blank page allows it to read an image, the dashboard's policy does not.
      const { data, width, height } = (await reader.evaluate(`(async () => {
        const picture = new Image();
        picture.src = "data:image/png;base64,${picture}";
        await picture.decode();
        const { width, height } = picture;
        const canvas = new OffscreenCanvas(width, height).getContext("2d");
        canvas.drawImage(picture, 0, 0);
        return { width, height, data: [...canvas.getImageData(0, 0, width, height).data] };
      })()`)) as { data: number[]; width: number; height: number };
      await reader.close();
      expect(decode(Uint8ClampedArray.from(data), width, height)?.data).toBe(url);
    });

    test("a link can be created with the keyboard alone", async () => {
      await open();
      await button("New link").focus();
      await page.keyboard.press("Enter");
      await dialog().waitFor();
      await page.keyboard.press("Escape");
      await dialog().waitFor({ state: "detached" });
      expect(await button("New link").evaluate((element) => element === document.activeElement)).toBe(true);
      await page.keyboard.press("Enter");
      await dialog().getByLabel("Name").focus();
      await page.keyboard.type("By keyboard");
      await page.keyboard.press("Enter");
      await dialog().waitFor({ state: "detached" });
      await shows(async () => (await names())[0]).toBe("By keyboard");
    });
  });

  test("tags are created, changed and deleted, also on the links that have them", async () => {
    await open();
    await button("Tags").click();
    await dialog().getByRole("textbox", { name: "New tag" }).fill("youtube");
    await dialog().getByLabel("Type").selectOption("Platform");
    await button("Add", dialog()).click();
    await shows(() => dialog().locator(".field-problem").count()).toBe(1);
    await dialog().getByRole("textbox", { name: "New tag" }).fill("Short video");
    await dialog().getByLabel("Colour").fill("#ffee00");
    await button("Add", dialog()).click();
    await button("Edit the tag Short video, 0 links", dialog()).click();
    await dialog().getByLabel("Name").fill("Shorts");
    await button("Save", dialog()).click();
    await button("Edit the tag Shorts, 0 links", dialog()).waitFor();
    await button("Close", dialog()).click();
    const chip = tagFilter("Shorts").locator(".chip");
    await chip.waitFor();
    expect(
      await chip.evaluate((element) => [
        getComputedStyle(element).backgroundColor,
        getComputedStyle(element).color,
      ]),
    ).toEqual(["rgb(255, 238, 0)", "rgb(0, 0, 0)"]);

    await createLink("Tagged");
    await button("Edit Tagged").click();
    await dialog().getByText("Shorts", { exact: true }).click();
    await button("Save", dialog()).click();
    await dialog().waitFor({ state: "detached" });
    await shows(() => row("Tagged").locator(".chip").allInnerTexts()).toEqual(["Shorts"]);
    // The filter contains the tag, too, and must lose it.
    await tagFilter("Shorts").click();
    await shows(names).toEqual(["Tagged"]);
    await button("Tags").click();
    await button("Edit the tag Shorts, 1 links", dialog()).click();
    await button("Delete", dialog()).click();
    await button("Remove it from 1 links and delete it", dialog()).click();
    await button("Edit the tag Shorts, 1 links", dialog()).waitFor({ state: "detached" });
    await button("Close", dialog()).click();
    await shows(() => row("Tagged").locator(".chip").count()).toBe(0);
    await shows(names).toContain("Tagged");
    await shows(() => tagFilter("Shorts").count()).toBe(0);
  });

  describe("signing in", () => {
    /** Options of a browser on another machine, which gets no token from the page. */
    const elsewhere = { extraHTTPHeaders: { "x-forwarded-for": "192.0.2.1" } };
    const enter = async (token: string) => {
      await page.getByLabel("API token").fill(token);
      await button("Sign in").click();
    };

    test("an invalid token is rejected, and a valid one survives a reload until signing out", async () => {
      await open(elsewhere);
      await enter("nobody's");
      await page.getByRole("alert").getByText("does not know this token").waitFor();
      // The browser's own message about status 401.
      expect(problems.consoleMessages.splice(0).join()).toMatch(/401/);
      await enter(server.token);
      await showsSummary();
      await page.reload();
      await showsSummary();
      await button("Sign out").click();
      await page.getByLabel("API token").waitFor();
      await page.reload();
      await page.getByLabel("API token").waitFor();
      expect(await page.evaluate("[sessionStorage.length, localStorage.length]")).toEqual([0, 0]);
    });

    test("a caller with the role VIEWER sees no button that changes anything", async () => {
      await open(elsewhere);
      await enter(await server.makeToken({ role: "VIEWER" }));
      await showsSummary();
      await shows(() => rows().count()).toBeGreaterThan(0);
      const offered = await page
        .getByRole("button")
        .evaluateAll((buttons) =>
          buttons.map((element) => element.getAttribute("aria-label") ?? element.textContent ?? ""),
        );
      expect(offered.filter((name) => /^(New|Tags|Edit|Revoke)/.test(name))).toEqual([]);
      expect(offered.filter((name) => /^QR code/.test(name)).length).toBeGreaterThan(0);
    });

    test("a caller without a channel sees the page No channel yet", async () => {
      await open(elsewhere);
      await enter(await server.makeToken({ role: "EDITOR", channelIds: [-100999] }));
      await page.getByRole("heading", { name: "No channel yet" }).waitFor();
    });
  });

  test("the dashboard is dark if the system is dark", async () => {
    const ground = () => page.evaluate("getComputedStyle(document.body).backgroundColor") as Promise<string>;
    const light = (colour: string) =>
      [...colour.matchAll(/\d+/g)].slice(0, 3).every(([part]) => Number(part) > 128);
    await open({ colorScheme: "light" });
    await showsSummary();
    expect(light(await ground())).toBe(true);
    await page.emulateMedia({ colorScheme: "dark" });
    expect(light(await ground())).toBe(false);
    expect(light((await page.evaluate("getComputedStyle(document.body).color")) as string)).toBe(true);
  });

  describe("many tags", () => {
    const LONG = "Wide-as-can-be-".repeat(4).slice(0, 60);
    beforeAll(async () => {
      const input = (name: string) =>
        `createTag(input: { channelId: ${CHANNEL}, tagTypeId: "${PLATFORM}", name: "${name}", color: "#123456" }) { __typename }`;
      for (let i = 0; i < 100; i += 25) {
        const some = Array.from({ length: 25 }, (_, j) => `t${j}: ${input(`${LONG} ${i + j}`)}`);
        const { errors } = await server.ask(`mutation { ${some.join("\n")} }`);
        expect(errors).toBeUndefined();
      }
    });

    test.each([
      [1280, 800],
      [390, 844],
    ])(
      "with a hundred tags and long names nothing is wider than the page at %i × %i, and typing finds a tag",
      async (width, height) => {
        await open({ viewport: { width, height } });
        await showsSummary();
        if (width < 500) await button("Filters").click();
        await filters().getByLabel("Find a tag of Platform").fill(`${LONG} 77`.toLowerCase());
        await tagFilter(`${LONG} 77`).click();
        await page.getByText("No link matches this filter.").waitFor();
        await shows(count).toBe("0");
        await page.getByLabel("Tag type of the chart").selectOption("Platform");
        await page.getByText(/^\d+ more$/).click();
        await button("New link").click();
        await dialog().waitFor();
        expect(
          await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"),
        ).toBe(0);
      },
    );
  });
});

describeInChromium("the dashboard when Telegram fails", () => {
  beforeAll(async () => {
    await buildDashboard();
    browser = await launchChromium();
  });
  afterAll(() => browser.close());
  // A 429 of Telegram holds back all calls of the bot, so each test has a server of its own.
  beforeEach(async () => {
    server = await startTestServer();
    await open();
    return async () => {
      expect(problems).toEqual({ foreignRequests: [], consoleMessages: [] });
      await page.context().close();
      await server.stop();
    };
  });
  const fail = (fault: Parameters<TestServer["sandbox"]["control"]["fail"]>[0]) =>
    server.sandbox.control.fail(fault, { method: "createChatInviteLink" });
  const alert = () => dialog().getByRole("alert");
  const type = () => alert().getAttribute("data-type");

  test("a lost answer is reported as unknown, trying again keeps the idempotency key, and a new form has a new key", async () => {
    const keys: string[] = [];
    page.on("request", (request) => {
      const body = request.postDataJSON();
      if (body?.operationName === "CreateLink") keys.push(body.variables.input.idempotencyKey);
    });
    fail({ kind: "cut", effect: "after" });
    await button("New link").click();
    await dialog().getByLabel("Name").fill("Perhaps");
    await button("Create link", dialog()).click();
    await shows(type).toBe("TelegramUnavailableError");
    expect(await alert().innerText()).toContain("it may or may not have been carried out");
    await button("Try again", dialog()).click();
    await shows(async () => keys.length).toBe(2);
    await shows(type).toBe("TelegramUnavailableError");
    await button("Cancel", dialog()).click();
    await createLink("Another");
    await shows(async () => (await names())[0]).toBe("Another");
    expect(keys).toHaveLength(3);
    expect(new Set(keys.slice(0, 2)).size).toBe(1);
    expect(keys[2]).not.toBe(keys[0]);
  });

  test("the wait that Telegram asks for is counted down, and then Try again is enabled", async () => {
    await page.clock.install();
    fail({ kind: "too-many-requests", retryAfter: 60 });
    await button("New link").click();
    await dialog().getByLabel("Name").fill("Patience");
    await button("Create link", dialog()).click();
    await shows(type).toBe("RateLimitedError");
    expect(await alert().innerText()).toMatch(/Try again in \d+ s\./);
    await button(/^Wait \d+ s$/, dialog()).waitFor();
    expect(await button(/^Wait \d+ s$/, dialog()).isDisabled()).toBe(true);
    await page.clock.fastForward(61_000);
    await shows(() => alert().innerText()).toContain("You can try again now.");
    expect(await button("Try again", dialog()).isDisabled()).toBe(false);
  });

  test("a revocation with a lost answer can be repeated, and is then shown as revoked", async () => {
    server.sandbox.control.fail({ kind: "cut", effect: "after" }, { method: "revokeChatInviteLink" });
    await shows(() => rows().count()).toBeGreaterThan(0);
    const [{ name }] = (await linksOfServer()).nodes;
    await button(`Revoke ${name}`).click();
    await button("Revoke for good", dialog()).click();
    await shows(type).toBe("TelegramUnavailableError");
    expect(await alert().innerText()).toContain("Repeat the action to complete it.");
    await button("Revoke for good", dialog()).click();
    await dialog().waitFor({ state: "detached" });
    await shows(() => row(name).innerText()).toContain("revoked");
  });

  test("a missing permission of the bot is reported", async () => {
    fail({
      kind: "error",
      error_code: 400,
      description: "Bad Request: not enough rights to manage chat invite link",
    });
    await button("New link").click();
    await dialog().getByLabel("Name").fill("Not allowed");
    await button("Create link", dialog()).click();
    await shows(type).toBe("BotPermissionError");
  });
});

import { beforeEach, describe, expect, test } from "vitest";
import { violationsOf } from "../../../support/accessibility.js";
import { describeInChromium } from "../../../support/chromium.js";
import {
  button,
  failRequests,
  holdRequests,
  linksOfServer,
  open,
  overflow,
  page,
  server,
  shows,
  useDashboard,
} from "../../../support/dashboardPage.js";
import { CHANNEL } from "../../../support/server.js";

const list = () => page.getByRole("textbox", { name: "Links, one in each line" });
const batch = (title: string) => page.getByRole("article", { name: title, exact: true }).first();
const preview = () => page.getByRole("region", { name: "Preview" });

describeInChromium("creating many links", () => {
  // A 429 of Telegram holds back all calls of the bot.
  useDashboard({ isPerTest: true });
  beforeEach(async () => {
    await open({}, "/bulk");
  });

  test("a list with a pattern is shown before it is sent, and its links are created with budgets and tags", async () => {
    await list().fill("Ad {1-3}\t10\tVK\nBanner\t1,500.50\tnone such");
    await preview().getByText("There is no tag “none such”, or more than one.").waitFor();
    await page.getByText("1 link has a mistake.").waitFor();
    expect(await button("Create 4 links").isDisabled()).toBe(true);
    expect(await violationsOf(page)).toEqual([]);
    await list().fill("Ad {1-3}\t10\tVK\nBanner\t1,500.50\tanna");
    await page.getByText("4 links, $1,530.50 together.").waitFor();
    await button("Create 4 links").click();
    await batch("4 links").getByText("Done: 4 of 4 were created.").waitFor();
    expect(await list().inputValue()).toBe("");
    const { nodes } = await linksOfServer({ search: "ad " });
    const made = nodes.map((link: { name: string; budget: string; tags: { name: string }[] }) => [
      link.name,
      Number(link.budget),
      link.tags.map(({ name }) => name),
    ]);
    expect(made).toEqual(expect.arrayContaining([1, 2, 3].map((number) => [`Ad ${number}`, 10, ["VK"]])));
    // The list of links knows them without a reload.
    await page.getByRole("link", { name: "Links", exact: true }).click();
    await page.getByText("Banner", { exact: true }).waitFor();
  });

  test("a batch that Telegram holds up is found again after a reload, and its links can be sent again", async () => {
    server.sandbox.control.fail(
      { kind: "too-many-requests", retryAfter: 300 },
      { method: "createChatInviteLink" },
    );
    const streams: string[] = [];
    page.on("request", (request) => {
      if (request.headers()["accept"]?.includes("event-stream")) streams.push(request.postData() ?? "");
    });
    await list().fill("Held {1-2}\t7\tVK");
    await button("Create 2 links").click();
    const waits = () =>
      batch("2 links")
        .getByText(/Telegram asks us to wait, \d+ s$/)
        .waitFor();
    await waits();
    await page.reload();
    await waits();
    expect(await violationsOf(page)).toEqual([]);
    await button("Cancel", batch("2 links")).click();
    await batch("2 links").getByText("Cancelled: 0 of 2 were created.").waitFor();
    const restore = await failRequests("NotMade");
    await batch("2 links").getByText("2 not created").click();
    await button("Try again", batch("2 links")).waitFor();
    restore();
    await button("Try again", batch("2 links")).click();
    await list().fill("More");
    await button("Put 2 links into the list again").click();
    await shows(() => list().inputValue()).toBe("More\nHeld 1\t7\tPlatform: VK\nHeld 2\t7\tPlatform: VK");
    await page.getByText("3 links, $14.00 together.").waitFor();
    // What is put into the list while it is sent stays there.
    const release = await holdRequests("CreateLinks");
    await button("Create 3 links").click();
    await button("Put 2 links into the list again").click();
    await button("Create 5 links").waitFor();
    release();
    await shows(() => list().inputValue()).toBe("Held 1\t7\tPlatform: VK\nHeld 2\t7\tPlatform: VK");
    // A browser has few connections to a server.
    expect(streams).toEqual([]);
  });

  test("a list stays while another page is shown, and over a reload", async () => {
    await list().fill("Kept\t5");
    await page.getByRole("link", { name: "Links", exact: true }).click();
    await page.getByTestId("count").waitFor();
    await page.goBack();
    await shows(() => list().inputValue()).toBe("Kept\t5");
    await page.reload();
    await shows(() => list().inputValue()).toBe("Kept\t5");
    await list().fill("");
    await page.reload();
    await list().waitFor();
    expect(await list().inputValue()).toBe("");
  });

  test("a list whose answer was not waited for is created once, however often it is sent", async () => {
    const batchCount = async () => {
      const { data } = await server.ask(`{ inviteLinkBatches(channelId: ${CHANNEL}) { totalCount } }`);
      return data.inviteLinkBatches.totalCount;
    };
    const isBusy = () => button("Create 2 links").getAttribute("aria-disabled");
    // The server has the list, but its answers do not come.
    await page.route("**/graphql", async (route, request) => {
      if (request.postDataJSON().operationName === "CreateLinks") await route.fetch();
      else await route.fallback();
    });
    await list().fill("Once {1-2}");
    await button("Create 2 links").click();
    await shows(batchCount).toBe(1);
    expect(await isBusy()).toBe("true");
    expect(await list().isEditable()).toBe(false);
    await page.getByRole("link", { name: "Links", exact: true }).click();
    await page.getByTestId("count").waitFor();
    await page.goBack();
    await shows(isBusy).toBe("false");
    const sent = page.waitForRequest((request) => request.postDataJSON()?.operationName === "CreateLinks");
    await button("Create 2 links").click();
    await sent;
    await page.reload();
    // Not before: a request whose route is taken away is answered after all.
    await page.unroute("**/graphql");
    await shows(isBusy).toBe("false");
    await button("Create 2 links").click();
    await shows(() => list().inputValue()).toBe("");
    await batch("2 links").getByText("Done: 2 of 2 were created.").waitFor();
    expect(await batchCount()).toBe(1);
  });

  test("a list knows a tag that was made since the page was shown first", async () => {
    await list().fill("Name\t5\tlate");
    await page.getByText("1 link has a mistake.").waitFor();
    const { data } = await server.ask("{ tagTypes { id } }");
    await server.ask(`mutation ($input: CreateTagInput!) { createTag(input: $input) { __typename } }`, {
      input: { channelId: CHANNEL, tagTypeId: data.tagTypes[0].id, name: "late", color: "#4f46e5" },
    });
    await page.getByRole("link", { name: "Links", exact: true }).click();
    await page.getByTestId("count").waitFor();
    await page.goBack();
    await page.getByText("1 link, $5.00 together.").waitFor();
  });

  test("the tags that a list needs are loaded again after a failure", async () => {
    const restore = await failRequests("KnownForList");
    await page.reload();
    await list().fill("Name\t5\tVK");
    await button("Try again").waitFor();
    restore();
    await button("Try again").click();
    await page.getByText("1 link, $5.00 together.").waitFor();
  });

  describe.each([
    { width: 390, colorScheme: "light" },
    { width: 1280, colorScheme: "dark" },
  ] as const)("at $width px in $colorScheme colors", ({ width, colorScheme }) => {
    test("the page fits and has no accessibility violation, in Russian", async () => {
      await open({ viewport: { width, height: 800 }, colorScheme, locale: "ru-RU" }, "/bulk");
      await page.getByRole("textbox").fill(`Реклама {1-30}\t5\tVK\n${"ш".repeat(40)}`);
      await page.getByText("Ошибка в 1 ссылке.").waitFor();
      expect(await overflow()).toBe(0);
      expect(await violationsOf(page)).toEqual([]);
    });
  });
});

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { violationsOf } from "../../../support/accessibility.js";
import { describeInChromium } from "../../../support/chromium.js";
import {
  button,
  dialog,
  ELSEWHERE,
  holdRequests,
  isFocused,
  open,
  overflow,
  page,
  problems,
  server,
  shows,
  showsSummary,
  signIn,
  useDashboard,
} from "../../../support/dashboardPage.js";
import { CHANNEL, GROUP, startTestServer } from "../../../support/server.js";

const SECTIONS = ["tokens", "channels", "tag-types", "webhooks", "updates"];
const heading = (name: string) => page.getByRole("heading", { name, level: 1, exact: true });
/** An entry of the section's list. */
const thing = (text: string) => page.locator(".things > li").filter({ hasText: text });

describeInChromium("the settings", () => {
  useDashboard({ startServer: () => startTestServer({ webhookAllowPrivate: true }) });

  test("a token is made for one channel, shown once and copied; it works until it is revoked", async () => {
    await open({}, "/settings/tokens");
    await heading("API tokens").waitFor();
    await button("Create token").click();
    await button("Create token", dialog()).click();
    await dialog().getByText("Enter a purpose.").waitFor();
    await shows(() => isFocused(dialog().getByLabel("Purpose"))).toBe(true);
    await dialog().getByLabel("Purpose").fill("Buyer’s script");
    await dialog()
      .getByRole("radio", { name: /^editor/ })
      .check();
    await dialog().getByRole("radio", { name: "Only some channels" }).check();
    await dialog().getByRole("checkbox", { name: "Coffee & Code", exact: true }).check();
    await button("Create token", dialog()).click();
    await dialog().getByText("Copy it now: it is shown only once.").waitFor();
    const secret = await dialog().getByLabel("API token").inputValue();
    // The button says so for two seconds.
    await Promise.all([button("Copied", dialog()).waitFor(), button("Copy", dialog()).click()]);
    expect(await page.evaluate("navigator.clipboard.readText()")).toBe(secret);
    await button("I have copied it").click();
    await thing("Buyer’s script").getByText("never used").waitFor();
    expect(await thing("Buyer’s script").innerText()).toMatch(/editor[\s\S]*Coffee & Code[\s\S]*created/);
    const { data } = await server.ask("{ viewer { name role channelIds } }", {}, secret);
    expect(data.viewer).toEqual({ name: "Buyer’s script", role: "EDITOR", channelIds: [CHANNEL] });

    await button("Revoke Buyer’s script").click();
    expect(await isFocused(button("Cancel", dialog()))).toBe(true);
    await button("Revoke", dialog()).click();
    await page.getByText("The token “Buyer’s script” was revoked.").waitFor();
    await page.getByText("1 revoked token").click();
    await thing("Buyer’s script")
      .getByText(/revoked/)
      .waitFor();
    await shows(async () => (await server.ask("{ viewer { name } }", {}, secret)).status).toBe(401);
  });

  test("a secret is not lost: its dialog cannot be left while it is made, and closes only by its button", async () => {
    await open({}, "/settings/tokens");
    await button("Create token").click();
    await dialog().getByLabel("Purpose").fill("Kept");
    let answer = () => {};
    const isHeld = new Promise<void>((resolve) => {
      answer = resolve;
    });
    await page.route("**/graphql", async (route, request) => {
      if (request.postDataJSON().operationName === "CreateToken") await isHeld;
      await route.fallback();
    });
    await button("Create token", dialog()).click();
    await button("Close", dialog()).waitFor({ state: "detached" });
    const leave = async () => {
      // Chromium itself closes a dialog at the second Esc.
      for (let times = 0; times < 3; times += 1) await page.keyboard.press("Escape");
    };
    await leave();
    await button("Cancel", dialog()).click();
    answer();
    await dialog().getByText("Copy it now: it is shown only once.").waitFor();
    await leave();
    await page.mouse.click(5, 5);
    const secret = await dialog().getByLabel("API token").inputValue();
    // Over plain HTTP, a page of another machine has no clipboard.
    await page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })");
    // The button says so for two seconds.
    await Promise.all([button("Copied", dialog()).waitFor(), button("Copy", dialog()).click()]);
    const other = await page.context().newPage();
    await other.goto(server.origin);
    expect(await other.evaluate("navigator.clipboard.readText()")).toBe(secret);
    await other.close();
    await button("I have copied it").click();
    await thing("Kept").waitFor();
    expect(await dialog().count()).toBe(0);
  });

  test("an answer that comes after its dialog was left closes no other dialog", async () => {
    await open({}, "/settings/channels");
    server.sandbox.control.addChat({ type: "channel", title: "Slow", username: "slow_channel" });
    const connect = await holdRequests("ConnectChannel");
    await button("Connect channel").click();
    await dialog().getByLabel("Channel or group").fill("@slow_channel");
    await button("Connect", dialog()).click();
    await button("Close", dialog()).click();
    await button("Edit Coffee & Code: the chat").click();
    await dialog().getByLabel("Time zone").fill("Asia/Tokyo");
    connect();
    await page.getByText("“Slow” is connected.").waitFor();
    await thing("Slow").waitFor();
    expect(await dialog().getByLabel("Time zone").inputValue()).toBe("Asia/Tokyo");
  });

  test("a channel shows what the bot may, is checked again, connected and changed", async () => {
    await open({}, "/settings/channels");
    server.sandbox.control.loseUpdates();
    server.sandbox.control.setBot(GROUP, { status: "administrator", can_invite_users: false });
    const group = thing("Coffee & Code: the chat");
    await button("Check again", group).click();
    await group.getByText("The bot is in the channel, but may not invite users.").waitFor();
    server.sandbox.control.loseUpdates();
    server.sandbox.control.setBot(GROUP, { status: "administrator", can_invite_users: true });
    await button("Check again", group).click();
    await group.getByText("The bot may create links.").waitFor();

    await button("Edit Coffee & Code: the chat").click();
    expect(await button("Save", dialog()).isDisabled()).toBe(true);
    await dialog().getByLabel("Currency of budgets").fill("xx");
    await button("Save", dialog()).click();
    await dialog().getByText("Must be an ISO 4217 code").waitFor();
    await dialog().getByLabel("Currency of budgets").fill("gbp");
    await dialog().getByLabel("Time zone").fill("Europe/Berlin");
    await button("Try again", dialog()).click();
    await page.getByText("The channel “Coffee & Code: the chat” was changed.").waitFor();
    await group.getByText("GBP · Europe/Berlin").waitFor();

    server.sandbox.control.addChat({ type: "channel", title: "Evening", username: "evening_news" });
    await button("Connect channel").click();
    await dialog().getByLabel("Channel or group").fill("t.me/evening_news");
    await button("Connect", dialog()).click();
    await page.getByText("“Evening” is connected.").waitFor();
    await thing("Evening").getByText("The bot may create links.").waitFor();
    // The channel is in the menu of the top bar at once.
    await page.getByRole("combobox", { name: "Channel" }).selectOption("Evening");
    await heading("Channels").waitFor();
  });

  test("tag types are made, renamed and deleted, and one with tags stays", async () => {
    await open({}, "/settings/tag-types");
    await button("Create tag type").click();
    await dialog().getByLabel("Name").fill("Season");
    await button("Create tag type", dialog()).click();
    await thing("Season").waitFor();
    await button("Rename Season").click();
    await dialog().getByLabel("Name").fill("Seasons");
    await dialog().getByLabel("Name").fill("Season");
    expect(await button("Save", dialog()).isDisabled()).toBe(true);
    await dialog().getByLabel("Name").fill("Quarter");
    await button("Save", dialog()).click();
    await thing("Quarter").waitFor();
    await button("Delete Quarter").click();
    await button("Delete", dialog()).click();
    await thing("Quarter").waitFor({ state: "detached" });
    await button("Delete Platform").click();
    await button("Delete", dialog()).click();
    await shows(() => dialog().getByRole("alert").getAttribute("data-type")).toBe("ValidationError");
    await button("Cancel", dialog()).click();
    await thing("Platform").waitFor();
  });

  test("a webhook is made, told, told again, switched off and deleted", async () => {
    const told: string[] = [];
    const receiver = createServer((request, response) => {
      told.push(String(request.headers["webhook-id"]));
      request.resume();
      response.end();
    }).listen(0, "127.0.0.1");
    await once(receiver, "listening");
    try {
      const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
      await open({}, "/settings/webhooks");
      await button("Create webhook").click();
      await dialog().getByRole("textbox", { name: "Address" }).fill(url);
      await button("Create webhook", dialog()).click();
      await shows(() => dialog().getByRole("alert").getAttribute("data-type")).toBe("ValidationError");
      await dialog().getByRole("checkbox", { name: "Link created" }).check();
      await button("Try again", dialog()).click();
      expect(await dialog().getByLabel("Signing secret").inputValue()).toMatch(/^whsec_/);
      await button("I have copied it").click();
      await thing(url).getByText("Link created").waitFor();

      await server.ask(`mutation {
        createInviteLink(input: { channelId: ${CHANNEL}, name: "Told" }) { __typename } }`);
      await shows(async () => told.length).toBe(1);
      await thing(url).getByText("Deliveries").click();
      await thing(url).getByText("1 attempt · HTTP 200").waitFor();
      await button(/^Send again: Link created/).click();
      await page.getByText("1 delivery is sent again.").waitFor();
      await shows(async () => told).toEqual([told[0], told[0]]);

      await button(`Edit ${url}`).click();
      expect(await button("Save", dialog()).isDisabled()).toBe(true);
      const stayed = dialog().getByRole("checkbox", { name: "Member stayed" });
      await stayed.check();
      await dialog().getByLabel("Member stayed for, in hours").fill("");
      await button("Save", dialog()).click();
      await dialog().getByText("Enter the hours, such as 24.").waitFor();
      await dialog().getByLabel("Member stayed for, in hours").fill("0.5");
      await button("Save", dialog()).click();
      await page.getByText("The webhook was changed.").waitFor();
      const { data: changed } = await server.ask("{ webhooks { holdSeconds } }");
      expect(changed.webhooks).toEqual([{ holdSeconds: 1800 }]);
      // Without a change there is nothing to save, also if a field went away and came back.
      await button(`Edit ${url}`).click();
      await stayed.uncheck();
      await shows(() => button("Save", dialog()).isDisabled()).toBe(false);
      await stayed.check();
      await shows(() => button("Save", dialog()).isDisabled()).toBe(true);
      await dialog().getByRole("radio", { name: "Only some channels" }).check();
      await shows(() => button("Save", dialog()).isDisabled()).toBe(false);
      await dialog().getByRole("radio", { name: "All channels" }).check();
      await shows(() => button("Save", dialog()).isDisabled()).toBe(true);
      await button("Cancel", dialog()).click();
      await button("Discard", dialog()).click();

      await button(`Switch off ${url}`).click();
      await button(`Switch on ${url}`).waitFor();
      const { data } = await server.ask("{ webhooks { isEnabled } }");
      expect(data.webhooks).toEqual([{ isEnabled: false }]);
      await button(`Delete ${url}`).click();
      await button("Delete", dialog()).click();
      await page.getByText("No webhooks yet.").waitFor();
    } finally {
      receiver.close();
    }
  });

  test("more deliveries stay shown when the list is asked for again", async () => {
    const url = "http://127.0.0.1:9/closed";
    await server.ask(
      `mutation ($input: CreateWebhookInput!) { createWebhook(input: $input) { __typename } }`,
      { input: { url, eventTypes: ["LINK_CREATED"], channelIds: [CHANNEL] } },
    );
    const links = Array.from({ length: 60 }, (_, index) => ({ name: `Sent ${index}` }));
    await server.ask(
      `mutation ($input: CreateInviteLinksInput!) { createInviteLinks(input: $input) { __typename } }`,
      { input: { channelId: CHANNEL, idempotencyKey: "deliveries", links } },
    );
    const deliveries = async () => {
      const { data } = await server.ask("{ webhooks { url deliveries(first: 0) { totalCount } } }");
      return data.webhooks.find((webhook: { url: string }) => webhook.url === url).deliveries.totalCount;
    };
    await shows(deliveries).toBe(60);
    await open({}, "/settings/webhooks");
    await thing(url).getByText("Deliveries").click();
    const shown = thing(url).locator(".delivery-list li");
    await shows(() => shown.count()).toBe(50);
    await button("Show more", thing(url)).click();
    await shows(() => shown.count()).toBe(60);
    const asked = () =>
      page.waitForResponse((response) => /"Deliveries"/.test(response.request().postData() ?? ""));
    // Both pages are asked for again.
    await asked();
    await asked();
    await asked();
    expect(await shown.count()).toBe(60);
  });

  test("an update that could not be understood is shown, and tried again", async () => {
    const id = server.sandbox.control.inject({ chat_member: { chat: "nonsense" } });
    await shows(
      async () => (await server.ask("{ failedUpdates { totalCount } }")).data.failedUpdates,
    ).toEqual({
      totalCount: 1,
    });
    await open({}, "/settings/updates");
    await page.getByText("1 update is set aside").waitFor();
    await page.getByText("What Telegram sent").click();
    await thing(String(id)).getByText("nonsense").waitFor();
    await button(`Retry update ${id}`).click();
    await page.getByText("0 updates were stored. 1 stays set aside.").waitFor();
  });

  test("each role sees what it may set", async () => {
    await open(ELSEWHERE);
    await signIn(await server.makeToken({ role: "EDITOR" }));
    await showsSummary();
    expect(await page.getByRole("link", { name: "Settings" }).count()).toBe(0);
    await page.goto(`${server.origin}/settings/tokens`);
    await page.getByText("Only administrators may see the settings.").waitFor();
    await page.context().close();

    await open(ELSEWHERE);
    await signIn(await server.makeToken({ role: "ADMIN", channelIds: [CHANNEL] }));
    await page.getByRole("link", { name: "Settings" }).click();
    await heading("API tokens").waitFor();
    const sections = page.getByRole("navigation", { name: "Settings" }).getByRole("link");
    expect(await sections.allInnerTexts()).toEqual(["API tokens", "Channels", "Webhooks"]);
    await button("Create token").click();
    expect(await dialog().getByRole("radio", { name: "All channels" }).count()).toBe(0);
    await dialog().getByRole("checkbox", { name: "Coffee & Code", exact: true }).waitFor();
  });

  test("all sections are accessible at all widths, in both schemes, and in Russian", async () => {
    for (const [locale, colorScheme, width] of [
      ["en-US", "light", 390],
      ["ru-RU", "dark", 1280],
    ] as const) {
      await open({ locale, colorScheme, viewport: { width, height: 844 } }, "/settings");
      for (const section of SECTIONS) {
        await page.locator(`nav.sections a[href^="/settings/${section}?"]`).click();
        await page.locator(`.sections a[aria-current][href^="/settings/${section}?"]`).waitFor();
        await page.locator(".things, .nothing").first().waitFor();
        expect(await violationsOf(page), `${section} ${locale}`).toEqual([]);
        expect(await overflow(), section).toBe(0);
        expect(await page.locator("main").innerText()).not.toMatch(/(settings|parts)\./);
      }
      await page.context().close();
    }
    await open({}, "/settings/nonsense");
    await page.getByRole("heading", { name: "There is no such page" }).waitFor();
  });

  test("more channels than one query has are all shown, and a token can be made for each", async () => {
    for (let index = 0; index < 110; index += 1) {
      const chat = server.sandbox.control.addChat({ type: "channel", title: `Channel ${index}` });
      await server.ask(`mutation { connectChannel(input: { chat: "${chat}" }) { __typename } }`);
    }
    const { data } = await server.ask("{ channels(first: 0) { totalCount } }");
    const { totalCount } = data.channels;
    expect(totalCount).toBeGreaterThan(110);
    await open({}, "/settings/tokens");
    await button("Create token").click();
    await dialog().getByRole("radio", { name: "Only some channels" }).check();
    await shows(() => dialog().getByRole("checkbox").count()).toBe(totalCount);
    await page.goto(`${server.origin}/settings/channels`);
    await shows(() => page.locator(".things > li").count()).toBe(totalCount);
    // The list of the top bar is another one, and as long.
    const channelCount = () => page.getByRole("combobox", { name: "Channel" }).locator("option").count();
    await shows(channelCount).toBe(totalCount);
    // Both say it if only a part comes, and try again.
    let isFailing = true;
    await page.route("**/graphql", (route, request) =>
      isFailing && request.postDataJSON()?.variables?.after
        ? route.fulfill({ status: 500, body: "{}" })
        : route.fallback(),
    );
    await page.reload();
    const again = button("Try again");
    await shows(() => again.count()).toBe(2);
    expect(await channelCount()).toBe(100);
    problems.consoleMessages.splice(0);
    isFailing = false;
    await again.last().click();
    await shows(() => page.locator(".things > li").count()).toBe(totalCount);
    await again.click();
    await shows(channelCount).toBe(totalCount);
  });
});

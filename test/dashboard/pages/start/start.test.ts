import { expect, test } from "vitest";
import { violationsOf } from "../../../support/accessibility.js";
import { describeInChromium } from "../../../support/chromium.js";
import {
  button,
  dialog,
  ELSEWHERE,
  open,
  overflow,
  page,
  server,
  shows,
  signIn,
  useDashboard,
} from "../../../support/dashboardPage.js";
import { startEmptyServer } from "../../../support/server.js";

const MAY = { status: "administrator", can_invite_users: true } as const;
const MAY_NOT = { status: "administrator", can_invite_users: false } as const;
const ADA = { id: 5_000_001, is_bot: false, first_name: "Ada" };

const step = (title: string) =>
  page.getByRole("listitem").filter({ has: page.getByRole("heading", { name: title }) });

/** A channel of Telegram that the bot is not in. */
const addChat = (title: string, username?: string): number =>
  server.sandbox.control.addChat({
    type: "channel",
    title,
    ...(username !== undefined && { username }),
    bot: { status: "left" },
  });

async function begin(options: Parameters<typeof open>[0] = {}): Promise<void> {
  await open({ ...ELSEWHERE, ...options });
  await signIn(server.token);
  await page.locator(".step").first().waitFor();
}

describeInChromium("the guided start", () => {
  useDashboard({ isPerTest: true, startServer: startEmptyServer });

  test("a bot in no channel gets to a tagged link and its first member, without a reload and without GraphQL", async () => {
    const chat = addChat("Morning News");
    await begin();
    await page.evaluate("window.isSame = true");
    await page.getByText("Waiting for the bot to be added.").waitFor();
    const toChannel = page.getByRole("link", { name: "Add to a channel" });
    expect(await toChannel.getAttribute("href")).toBe(
      `https://t.me/${server.sandbox.bot.username}?startchannel&admin=invite_users`,
    );
    // The bot comes without the right at first: the channel appears, and then the right.
    server.sandbox.control.setBot(chat, MAY_NOT);
    await step("Connect the channel").getByText("Morning News").waitFor();
    await page.getByText("The bot is in the channel, but may not invite users.").waitFor();
    server.sandbox.control.setBot(chat, MAY);
    await page.getByText("The bot may create links.").waitFor();

    await page.getByRole("textbox", { name: "Tag type 2" }).fill("Placement");
    await button("Remove the tag type Buyer").click();
    await button("Create these types").click();
    await step("Choose types of tags").getByText("Placement").waitFor();
    const { data: types } = await server.ask("{ tagTypes { name } }");
    expect(types.tagTypes).toEqual([{ name: "Placement" }, { name: "Platform" }]);

    await button("Create link").click();
    await dialog().getByLabel("Name").fill("First");
    await dialog().getByRole("combobox", { name: "Platform" }).fill("YouTube");
    await dialog().getByRole("option", { name: "Make the tag “YouTube”" }).click();
    await button("Remove the tag YouTube", dialog()).waitFor();
    await button("Create link", dialog()).click();
    await dialog().waitFor({ state: "detached" });
    const [link] = server.sandbox.control.links(chat);
    expect(await page.getByLabel("Address of the link").inputValue()).toBe(link?.url);
    await step("Create a link with a tag").getByText("YouTube").waitFor();
    // The button says so for two seconds.
    await Promise.all([button("Copied").waitFor(), button("Copy").click()]);
    expect(await page.evaluate("navigator.clipboard.readText()")).toBe(link?.url);

    await page.getByText("Waiting for the first member").waitFor();
    server.sandbox.control.join(chat, ADA, { url: link?.url ?? "" });
    await page.getByText("The first member has joined by the link.").waitFor();
    expect(await page.evaluate("window.isSame")).toBe(true);
    await page.getByRole("link", { name: "Show the links" }).click();
    await page.getByRole("row").filter({ hasText: "First" }).waitFor();
  });

  test("a channel is connected by a pasted address, and what is missing is said and checked again", async () => {
    const chat = addChat("Public", "public_news");
    await begin();
    const field = page.getByLabel("Channel or group");
    await field.fill("https://t.me/public_news/17");
    await button("Connect").click();
    await page.getByText("The bot is not in the channel.").waitFor();
    // Telegram tells the server of nothing that happened before it was asked for: only a check shows it.
    server.sandbox.control.loseUpdates();
    server.sandbox.control.setBot(chat, MAY_NOT);
    await button("Try again").click();
    await page.getByText("The bot is in the channel, but may not invite users.").waitFor();
    server.sandbox.control.loseUpdates();
    server.sandbox.control.setBot(chat, MAY);
    await button("Check again").click();
    await page.getByText("The bot may create links.").waitFor();
    await button("Skip").click();
    await button("Create link").waitFor();
    expect(await page.evaluate("document.activeElement !== document.body")).toBe(true);
  });

  test("the start is accessible at all widths, in both schemes and both languages", async () => {
    for (const [locale, colorScheme, width] of [
      ["en-US", "light", 390],
      ["en-US", "dark", 1280],
      ["ru-RU", "light", 390],
    ] as const) {
      await open({ ...ELSEWHERE, locale, colorScheme, viewport: { width, height: 844 } });
      await page.locator("input[name=token]").fill(server.token);
      await page.locator("button[type=submit]").click();
      await page.locator(".step").first().waitFor();
      expect(await violationsOf(page), `${locale} ${width}`).toEqual([]);
      expect(await overflow()).toBe(0);
      if (locale === "ru-RU")
        expect(await page.locator("main").innerText()).not.toMatch(/start\.|parts\.|Connect/);
      await page.context().close();
    }
    await begin();
  });

  test("somebody who may not connect a channel is told whom to ask", async () => {
    await open(ELSEWHERE);
    await signIn(await server.makeToken({ role: "EDITOR" }));
    await page.getByRole("heading", { name: "No channel yet" }).waitFor();
    await page.getByText("Ask an administrator to connect a channel").waitFor();
    await shows(() => page.locator(".step").count()).toBe(0);
  });
});

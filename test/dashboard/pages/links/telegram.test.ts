import { beforeEach, expect, test } from "vitest";
import { violationsOf } from "../../../support/accessibility.js";
import { describeInChromium } from "../../../support/chromium.js";
import {
  button,
  choose,
  createLink,
  dialog,
  ELSEWHERE,
  linksOfServer,
  names,
  open,
  page,
  row,
  rows,
  server,
  shows,
  signIn,
  useDashboard,
} from "../../../support/dashboardPage.js";
import { CHANNEL, type TestServer } from "../../../support/server.js";

describeInChromium("the dashboard when Telegram fails", () => {
  // A 429 of Telegram holds back all calls of the bot, so each test has a server of its own.
  useDashboard({ isPerTest: true });
  beforeEach(async () => {
    await open();
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
    await button("Create link").click();
    await dialog().getByLabel("Name").fill("Perhaps");
    await button("Create link", dialog()).click();
    await shows(type).toBe("TelegramUnavailableError");
    expect(await alert().innerText()).toContain("it may or may not have been carried out");
    await button("Try again", dialog()).click();
    await shows(async () => keys.length).toBe(2);
    await shows(type).toBe("TelegramUnavailableError");
    await button("Cancel", dialog()).click();
    await button("Discard", dialog()).click();
    await createLink("Another");
    await shows(async () => (await names())[0]).toBe("Another");
    expect(keys).toHaveLength(3);
    expect(new Set(keys.slice(0, 2)).size).toBe(1);
    expect(keys[2]).not.toBe(keys[0]);
  });

  test("the wait that Telegram asks for is counted down, and then Try again is enabled", async () => {
    await page.clock.install();
    fail({ kind: "too-many-requests", retryAfter: 60 });
    await button("Create link").click();
    await dialog().getByLabel("Name").fill("Patience");
    await button("Create link", dialog()).click();
    await shows(type).toBe("RateLimitedError");
    expect(await alert().innerText()).toMatch(/Try again in \d+ seconds?\./);
    await button(/^Telegram asks us to wait, \d+ s$/, dialog()).waitFor();
    expect(await button(/^Telegram asks us to wait, \d+ s$/, dialog()).isDisabled()).toBe(true);
    await page.clock.fastForward(61_000);
    await shows(() => alert().innerText()).toContain("You can try again now.");
    expect(await button("Try again", dialog()).isDisabled()).toBe(false);
  });

  test("a revocation with a lost answer can be repeated, and is then shown as revoked", async () => {
    server.sandbox.control.fail({ kind: "cut", effect: "after" }, { method: "revokeChatInviteLink" });
    await shows(() => rows().count()).toBeGreaterThan(0);
    const [{ name }] = (await linksOfServer()).nodes;
    await choose("Revoke link", name);
    await button("Revoke link", dialog()).click();
    await shows(type).toBe("TelegramUnavailableError");
    expect(await alert().innerText()).toContain("Repeat the action to complete it.");
    await button("Revoke link", dialog()).click();
    await dialog().waitFor({ state: "detached" });
    await shows(() => row(name).count()).toBe(0);
  });

  test("a creation with an unknown outcome stays on the page until an administrator says what became of it", async () => {
    for (const name of ["Lost once", "Lost twice"]) {
      fail({ kind: "cut", effect: "after" });
      await button("Create link").click();
      await dialog().getByLabel("Name").fill(name);
      await button("Create link", dialog()).click();
      await shows(type).toBe("TelegramUnavailableError");
      await button("Cancel", dialog()).click();
      await button("Discard", dialog()).click();
      await dialog().waitFor({ state: "detached" });
    }
    await page.getByText("It is unknown whether 2 links were created.").waitFor();
    await page.reload();
    await page.getByText("It is unknown whether 2 links were created.").waitFor();
    // A form for a link of the same name says so before it makes a second one.
    await button("Create link").click();
    await dialog().getByLabel("Name").fill("Lost once");
    await dialog().getByText("It is unknown whether a link of this name was created.").waitFor();
    await button("Cancel", dialog()).click();
    await button("Discard", dialog()).click();
    await button("Settle").click();
    await dialog().getByRole("listitem").nth(1).waitFor();
    expect(await violationsOf(page)).toEqual([]);
    const creation = (name: string) => dialog().getByRole("listitem").filter({ hasText: name });
    await button("It does not exist", creation("Lost twice")).click();
    await creation("Lost twice").waitFor({ state: "detached" });
    const made = server.sandbox.control.links(CHANNEL).find(({ name }) => name === "Lost once");
    await creation("Lost once")
      .getByLabel("The link’s address in Telegram")
      .fill(made?.url ?? "");
    await button("Store this link", creation("Lost once")).click();
    await dialog().waitFor({ state: "detached" });
    await shows(async () => (await names())[0]).toBe("Lost once");
    // What is unknown is loaded again apart from the list.
    await page.getByText("It is unknown whether").waitFor({ state: "detached" });
  });

  test("an editor's creation with an unknown outcome is kept, and repeating it makes no second link", async () => {
    const token = await server.makeToken({ role: "EDITOR" });
    await page.context().close();
    await open(ELSEWHERE);
    await signIn(token);
    const keys: string[] = [];
    page.on("request", (request) => {
      const body = request.postDataJSON();
      if (body?.operationName === "CreateLink") keys.push(body.variables.input.idempotencyKey);
    });
    fail({ kind: "cut", effect: "after" });
    await button("Create link").click();
    await dialog().getByLabel("Name").fill("Mine");
    await dialog().getByLabel("Require approval to join").check();
    await dialog().getByLabel("The server approves").check();
    await dialog().getByLabel("How long after the request").selectOption("3600");
    await button("Create link", dialog()).click();
    await shows(type).toBe("TelegramUnavailableError");
    await button("Cancel", dialog()).click();
    await button("Discard", dialog()).click();
    await page.reload();
    await button("Settle").click();
    await button("Try again", dialog()).click();
    expect(await dialog().getByLabel("Name").inputValue()).toBe("Mine");
    expect(await dialog().getByLabel("How long after the request").inputValue()).toBe("3600");
    await button("Create link", dialog()).click();
    await shows(type).toBe("TelegramUnavailableError");
    const { data } = await server.ask("{ uncertainCreations { id } }");
    const [{ id }] = data.uncertainCreations;
    const made = server.sandbox.control.links(CHANNEL).find(({ name }) => name === "Mine");
    await server.ask(
      "mutation ($input: ResolveCreationInput!) { resolveCreation(input: $input) { __typename } }",
      { input: { id, url: made?.url } },
    );
    await button("Try again", dialog()).click();
    await dialog().waitFor({ state: "detached" });
    await shows(async () => (await names())[0]).toBe("Mine");
    expect(new Set(keys).size).toBe(1);
    expect(await page.getByText("It is unknown whether").count()).toBe(0);
  });

  test("a missing right of the bot is shown above the links at once, and goes when the bot has it back", async () => {
    const warning = page.getByText("The bot has no right to invite users in this channel");
    const bot = (can_invite_users: boolean) =>
      server.sandbox.control.setBot(CHANNEL, { status: "administrator", can_invite_users });
    bot(false);
    await button("Create link").click();
    await dialog().getByLabel("Name").fill("Not allowed");
    await button("Create link", dialog()).click();
    await shows(type).toBe("BotPermissionError");
    await warning.waitFor();
    bot(true);
    await button("Try again", dialog()).click();
    await dialog().waitFor({ state: "detached" });
    await page.getByText("“Not allowed” was created.").waitFor();
    await warning.waitFor({ state: "detached" });
  });
});

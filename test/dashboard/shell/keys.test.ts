import { beforeEach, describe, expect, test } from "vitest";
import { violationsOf } from "../../support/accessibility.js";
import { describeInChromium } from "../../support/chromium.js";
import {
  button,
  dialog,
  isFocused,
  names,
  open,
  overflow,
  page,
  rows,
  server,
  shows,
  useDashboard,
} from "../../support/dashboardPage.js";
import { CHANNEL } from "../../support/server.js";

const search = () => page.getByRole("searchbox", { name: "Search links" });
const palette = () => dialog().getByRole("combobox", { name: "Search or jump" });

describeInChromium("search and keys", () => {
  useDashboard();
  beforeEach(async () => {
    await open();
    await shows(() => rows().count()).toBeGreaterThan(2);
  });

  test("the search finds a link by a part of its name or by its address, and stays in the page's address", async () => {
    const { data } = await server.ask(
      `{ inviteLinks(channelId: ${CHANNEL}, filter: { isRevoked: false }, first: 3) { nodes { name url } } }`,
    );
    const { name, url } = data.inviteLinks.nodes[1];
    await page.keyboard.press("/");
    await shows(() => isFocused(search())).toBe(true);
    await page.keyboard.type(url);
    await shows(names).toEqual([name]);
    await shows(async () => new URL(page.url()).searchParams.get("search")).toBe(url);
    await page.reload();
    await shows(names).toEqual([name]);
    await button(`Remove the filter ${url}`).click();
    await shows(() => rows().count()).toBeGreaterThan(1);
    await search().fill(name.slice(1, 5).toUpperCase());
    await shows(names).toContain(name);
  });

  test("keys make a link, list themselves and are ignored in fields, in dialogs and when turned off", async () => {
    await page.keyboard.press("n");
    await dialog().getByRole("heading", { name: "Create link" }).waitFor();
    // The key is a character of the name now.
    await page.keyboard.type("n/?");
    expect(await dialog().getByLabel("Name").inputValue()).toBe("n/?");
    await button("Close", dialog()).click();
    await button("Discard", dialog()).click();
    await shows(() => page.getByRole("dialog").count()).toBe(0);

    await page.keyboard.press("?");
    await dialog().getByRole("heading", { name: "Keyboard shortcuts" }).waitFor();
    expect(await violationsOf(page)).toEqual([]);
    await dialog().getByLabel("Use single-character shortcuts").uncheck();
    await page.keyboard.press("Escape");
    await shows(() => page.getByRole("dialog").count()).toBe(0);
    await page.keyboard.press("n");
    await page.keyboard.press("?");
    await page.keyboard.press("Control+k");
    await palette().waitFor();
    // Only the palette is open.
    expect(await page.getByRole("dialog").count()).toBe(1);
    await page.keyboard.type("shortc");
    await page.keyboard.press("Enter");
    await dialog().getByLabel("Use single-character shortcuts").check();
    await button("Close", dialog()).click();
    await page.keyboard.press("n");
    await dialog().getByRole("heading", { name: "Create link" }).waitFor();
  });

  describe.each(["light", "dark"] as const)("the palette in %s colors", (colorScheme) => {
    test("jumps to a link, from a field too, and has no accessibility violation", async () => {
      await page.emulateMedia({ colorScheme });
      const name = (await names())[0] ?? "";
      await search().focus();
      await page.keyboard.press("Control+k");
      await palette().waitFor();
      expect(await violationsOf(page)).toEqual([]);
      await page.keyboard.type(name);
      await dialog().getByRole("option", { name }).first().waitFor();
      expect(await violationsOf(page)).toEqual([]);
      await page.keyboard.press("Enter");
      await shows(() => page.getByRole("dialog").count()).toBe(0);
      await page.getByRole("heading", { level: 1, name }).waitFor();
    });
  });

  test("the palette finds a link that others made after the same text was searched before", async () => {
    const find = async () => {
      await page.keyboard.press("Control+k");
      await palette().fill("Made by others");
    };
    const answered = page.waitForResponse(
      (response) => response.request().postDataJSON()?.operationName === "FoundLinks",
    );
    await find();
    await (await answered).finished();
    await dialog().getByText("Nothing is found.").waitFor();
    await page.keyboard.press("Escape");
    await dialog().waitFor({ state: "detached" });
    const create = `mutation { createInviteLink(input: { channelId: ${CHANNEL}, name: "Made by others" }) { __typename } }`;
    expect((await server.ask(create)).data.createInviteLink.__typename).toBe("CreateInviteLinkSuccess");
    await find();
    await dialog().getByRole("option", { name: "Made by others" }).waitFor();
  });

  test("the palette leads to a page whose address has a part that may be left out", async () => {
    await page.keyboard.press("Control+k");
    await palette().fill("settings");
    await dialog().getByRole("option", { name: "Settings" }).waitFor();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "API tokens" }).waitFor();
  });

  test("the palette switches the language and fits a phone", async () => {
    await button("Search or jump (Ctrl K)").click();
    await page.setViewportSize({ width: 390, height: 800 });
    await palette().fill("рус");
    await dialog().getByRole("option", { name: "Русский" }).waitFor();
    expect(await overflow()).toBe(0);
    await page.keyboard.press("Enter");
    await page.getByRole("searchbox", { name: "Поиск ссылок" }).waitFor();
    await page.keyboard.press("Shift+Slash");
    await dialog().getByRole("heading", { name: "Сочетания клавиш" }).waitFor();
  });
});

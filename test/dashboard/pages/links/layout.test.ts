import { beforeAll, expect, test } from "vitest";
import { violationsOf } from "../../../support/accessibility.js";
import { describeInChromium } from "../../../support/chromium.js";
import {
  button,
  choose,
  createLink,
  dialog,
  filters,
  open,
  overflow,
  page,
  row,
  rows,
  server,
  shows,
  showsSummary,
  useDashboard,
} from "../../../support/dashboardPage.js";
import { CHANNEL, PLATFORM } from "../../../support/server.js";

const LONG_TAG = "An extraordinarily long name of a tag that never seems to end 64";
const RIGHT_TO_LEFT = "שלום לכולם (2) abc";

describeInChromium("the layout of the links", () => {
  useDashboard();
  beforeAll(async () => {
    const { data } = await server.ask(
      `mutation ($tag: CreateTagInput!) { createTag(input: $tag) { ... on CreateTagSuccess { tag { id } } } }`,
      { tag: { channelId: CHANNEL, tagTypeId: PLATFORM, name: LONG_TAG, color: "#8855ff" } },
    );
    const tagIds = [data.createTag.tag.id];
    const links = [
      { name: "W".repeat(32), budget: "123456789012.34", memberLimit: 99999, tagIds },
      { name: RIGHT_TO_LEFT, tagIds },
      { name: "🎉".repeat(16), createsJoinRequest: true },
    ];
    for (const link of links)
      await server.ask(
        "mutation ($input: CreateInviteLinkInput!) { createInviteLink(input: $input) { __typename } }",
        { input: { channelId: CHANNEL, ...link } },
      );
  });

  test("long names make nothing wider than the page or the table, from 390 to 1440 pixels", async () => {
    await open({ viewport: { width: 1440, height: 900 } });
    await showsSummary();
    await shows(() => row("W".repeat(32)).count()).toBe(1);
    for (const width of [1440, 1280, 1090, 1024, 900, 720, 704, 390]) {
      await page.setViewportSize({ width, height: 900 });
      expect(await overflow(), String(width)).toBe(0);
      const stickingOut = await page.locator("tbody").evaluate((body) => {
        const edge = body.getBoundingClientRect().right + 1;
        const parts = [...body.querySelectorAll(".chip, td, .link-name")];
        return parts
          .filter((part) => part.getBoundingClientRect().right > edge)
          .map((part) => part.outerHTML);
      });
      expect(stickingOut, String(width)).toEqual([]);
    }
  });

  test("on a phone the dialogs fit, and the filters open above the page and say how many links they show", async () => {
    await open({ viewport: { width: 390, height: 844 } });
    await showsSummary();
    await button("Filters").click();
    await dialog().getByText("Expired", { exact: true }).click();
    await button(/^Show \d+ links?$/, dialog()).waitFor();
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await violationsOf(page), colorScheme).toEqual([]);
    }
    const show = await button(/^Show \d+ links?$/, dialog()).boundingBox();
    expect((show?.y ?? 0) + (show?.height ?? 0)).toBeLessThanOrEqual(844);
    await button("Close", dialog()).click();
    for (const name of ["Tags", "Create link"]) {
      await button(name).click();
      await dialog().waitFor();
      expect(
        await dialog().evaluate((element) => [
          element.scrollWidth - element.clientWidth,
          element.clientWidth <= 390,
        ]),
      ).toEqual([0, true]);
      await page.keyboard.press("Escape");
      await dialog().waitFor({ state: "detached" });
    }
    expect(await overflow()).toBe(0);
  });

  test("a right-to-left name keeps its own direction, and does not reorder the words around it", async () => {
    await open();
    await showsSummary();
    const name = page.locator(".link-name bdi").filter({ hasText: RIGHT_TO_LEFT });
    expect(await name.evaluate((element) => getComputedStyle(element).direction)).toBe("rtl");
    await choose("Edit", `\u2068${RIGHT_TO_LEFT}\u2069`);
    expect(await dialog().getByRole("heading").innerText()).toBe(`Edit \u2068${RIGHT_TO_LEFT}\u2069`);
    await dialog().getByLabel("Budget, USD").fill("5");
    await button("Save", dialog()).click();
    await page.getByText(`“\u2068${RIGHT_TO_LEFT}\u2069” was changed.`).waitFor();
  });

  test("the names of buttons in the dialog of tags are what one sees on them", async () => {
    await open();
    await button("Tags").click();
    await dialog().getByRole("button", { name: "YouTube" }).waitFor();
    for (const tag of await dialog().locator(".tag-button").all())
      expect(await tag.getAttribute("aria-label")).toBeNull();
    expect(await violationsOf(page)).toEqual([]);
  });

  test("the list is printed black on white and without buttons, many links on a page", async () => {
    await open({ colorScheme: "dark" });
    await showsSummary();
    await shows(() => rows().count()).toBeGreaterThan(20);
    await page.emulateMedia({ media: "print", colorScheme: "dark" });
    const styleOf = (selector: string, property: string) =>
      page.evaluate(`getComputedStyle(document.querySelector("${selector}"))["${property}"]`);
    expect(await styleOf(".link-name", "color")).toBe("rgb(0, 0, 0)");
    expect(await styleOf("body", "backgroundColor")).toBe("rgb(255, 255, 255)");
    for (const name of ["Create link", "Tags", "Sign out", /^Edit/, /^More actions/])
      expect(await button(name).count(), String(name)).toBe(0);
    expect(await filters().count()).toBe(0);
    const heights = await rows().evaluateAll((all) => all.map((one) => one.getBoundingClientRect().height));
    // An A4 page is some 1,000 pixels high.
    expect(Math.max(...heights)).toBeLessThan(40);
  });

  test.each(["light", "dark"] as const)(
    "axe finds nothing wrong in the %s scheme, from 390 to 1440 pixels, in dialogs and menus too",
    async (colorScheme) => {
      const widths = [1440, 1280, 1024, 720, 390];
      await open({ colorScheme, viewport: { width: 1440, height: 900 }, reducedMotion: "reduce" });
      await showsSummary();
      await shows(() => page.locator(".bars li").count()).toBeGreaterThan(0);
      const check = async () => {
        for (const width of widths) {
          await page.setViewportSize({ width, height: 900 });
          expect(await violationsOf(page), String(width)).toEqual([]);
        }
        await page.setViewportSize({ width: 1280, height: 900 });
      };
      await check();
      await button("Create link").click();
      await dialog().getByRole("combobox", { name: "Platform" }).waitFor();
      await check();
      await page.keyboard.press("Escape");
      await dialog().waitFor({ state: "detached" });
      await button(/^More actions/)
        .first()
        .click();
      await page.getByRole("menuitem").first().waitFor();
      expect(await violationsOf(page)).toEqual([]);
      await page.getByRole("menuitem", { name: "Revoke link" }).click();
      await dialog().waitFor();
      await check();
    },
  );

  test("a link that somebody else creates or changes is shown without reloading", async () => {
    await open();
    await showsSummary();
    await createLink("Seen by all");
    const { data } = await server.ask(
      `{ inviteLinks(channelId: ${CHANNEL}, filter: { name: "Seen by all" }) { nodes { id } } }`,
    );
    const [{ id }] = data.inviteLinks.nodes;
    await server.ask(
      "mutation ($input: UpdateInviteLinkInput!) { updateInviteLink(input: $input) { __typename } }",
      {
        input: { id, budget: "4321" },
      },
    );
    await shows(() => row("Seen by all").innerText()).toContain("$4,321.00");
    await showsSummary();
    await server.ask(
      "mutation ($input: CreateInviteLinkInput!) { createInviteLink(input: $input) { __typename } }",
      { input: { channelId: CHANNEL, name: "From elsewhere" } },
    );
    await shows(() => row("From elsewhere").count()).toBe(1);
    await showsSummary();
  });
});

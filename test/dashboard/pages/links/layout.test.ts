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

  test.each([390, 704, 720, 900, 1024, 1090, 1280, 1440])(
    "long names make nothing wider than a page of %i pixels",
    async (width) => {
      await open({ viewport: { width, height: 900 } });
      await showsSummary();
      await shows(() => row("W".repeat(32)).count()).toBe(1);
      expect(await overflow()).toBe(0);
      // Nothing sticks out of the table either.
      const table = (await page.locator("table").boundingBox()) ?? { x: 0, width: 0 };
      for (const element of await page.locator("tbody .chip, tbody td, tbody .link-name").all()) {
        const box = await element.boundingBox();
        if (box) expect(box.x + box.width).toBeLessThanOrEqual(table.x + table.width + 1);
      }
    },
  );

  test("on a phone the dialogs fit, and the filters open above the page and say how many links they show", async () => {
    await open({ viewport: { width: 390, height: 844 } });
    await showsSummary();
    await button("Filters").click();
    await dialog().getByText("Expired", { exact: true }).click();
    await button(/^Show \d+ links?$/, dialog()).waitFor();
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
    await choose("Edit", RIGHT_TO_LEFT);
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

  test.each(
    (["light", "dark"] as const).flatMap((colorScheme) =>
      [390, 720, 1024, 1280, 1440].map((width) => [colorScheme, width] as const),
    ),
  )("axe finds nothing wrong in the %s scheme at %i pixels", async (colorScheme, width) => {
    await open({ colorScheme, viewport: { width, height: 900 }, reducedMotion: "reduce" });
    await showsSummary();
    await shows(() => page.locator(".bars li").count()).toBeGreaterThan(0);
    expect(await violationsOf(page)).toEqual([]);
    await button("Create link").click();
    await dialog().waitFor();
    expect(await violationsOf(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await dialog().waitFor({ state: "detached" });
    await button(/^More actions/)
      .first()
      .click();
    await page.getByRole("menuitem").first().waitFor();
    expect(await violationsOf(page)).toEqual([]);
    await page.getByRole("menuitem", { name: "Revoke link" }).click();
    await dialog().waitFor();
    expect(await violationsOf(page)).toEqual([]);
  });

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

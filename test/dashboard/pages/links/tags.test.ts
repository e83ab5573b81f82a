import { beforeAll, describe, expect, test } from "vitest";
import { describeInChromium } from "../../../support/chromium.js";
import {
  button,
  chooseTag,
  count,
  createLink,
  dialog,
  failRequests,
  filters,
  holdRequests,
  names,
  open,
  overflow,
  page,
  row,
  server,
  shows,
  showsSummary,
  tagFilter,
  useDashboard,
} from "../../../support/dashboardPage.js";
import { CHANNEL, PLATFORM } from "../../../support/server.js";

describeInChromium("the tags of a channel", () => {
  useDashboard();

  test("what dialogs show of the tags is loaded again after a failure", async () => {
    await open();
    const restoreChoices = await failRequests("TagChoices");
    await page.getByRole("checkbox", { name: "Select all links shown" }).check();
    await button("Tags", page.getByRole("region", { name: "Selected links" })).click();
    await button("Try again", dialog()).waitFor();
    restoreChoices();
    await button("Try again", dialog()).click();
    await dialog().getByRole("combobox", { name: "Platform" }).waitFor();
    await button("Cancel", dialog()).click();
    await button("Clear the selection").click();

    const restoreTags = await failRequests("Tags");
    await button("Tags").click();
    await button("Try again", dialog()).waitFor();
    restoreTags();
    await button("Try again", dialog()).click();
    await dialog().getByRole("textbox", { name: "New tag" }).waitFor();
  });

  test("tags are created, changed and deleted, also on the links that have them", async () => {
    await open();
    await button("Tags").click();
    await dialog().getByRole("textbox", { name: "New tag" }).fill("youtube");
    await dialog().getByLabel("Type").selectOption("Platform");
    await button("Add tag", dialog()).click();
    await shows(() => dialog().locator(".field-problem").count()).toBe(1);
    await dialog().getByRole("textbox", { name: "New tag" }).fill("Short video");
    await dialog().getByLabel("Color").fill("#ffee00");
    await button("Add tag", dialog()).click();
    await button("Short video 0 links", dialog()).click();
    await dialog().getByLabel("Name").fill("Shorts");
    await button("Save", dialog()).click();
    await button("Shorts 0 links", dialog()).waitFor();
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
    await chooseTag("Platform", "Shorts");
    await button("Save", dialog()).click();
    await dialog().waitFor({ state: "detached" });
    await shows(() => row("Tagged").locator(".chip").allInnerTexts()).toEqual(["Shorts"]);
    // The filter contains the tag, too, and must lose it.
    await tagFilter("Shorts").click();
    await shows(names).toEqual(["Tagged"]);
    await button("Tags").click();
    await button("Shorts 1 link", dialog()).click();
    await button("Delete tag", dialog()).click();
    await button("Remove it from 1 link and delete it", dialog()).click();
    await button("Shorts 1 link", dialog()).waitFor({ state: "detached" });
    await button("Close", dialog()).click();
    await shows(() => row("Tagged").locator(".chip").count()).toBe(0);
    await shows(names).toContain("Tagged");
    await shows(() => tagFilter("Shorts").count()).toBe(0);
  });

  test("what is typed while an earlier answer is awaited stays in the form of the tags", async () => {
    await open();
    await button("Tags").click();
    const newTag = dialog().getByRole("textbox", { name: "New tag" });
    await newTag.fill("Radio");
    const list = await holdRequests("Tags");
    await button("Add tag", dialog()).click();
    await dialog().getByText("The tag “Radio” was created.").waitFor();
    await newTag.fill("Television");
    list();
    await button("Radio 0 links", dialog()).waitFor();
    expect(await newTag.inputValue()).toBe("Television");

    const update = await holdRequests("UpdateTag");
    await button("Radio 0 links", dialog()).click();
    await dialog().getByLabel("Name").fill("Broadcast");
    await button("Save", dialog()).click();
    await button(/^VK /, dialog()).click();
    await dialog().getByLabel("Name").fill("VKontakte");
    update();
    await button("Broadcast 0 links", dialog()).waitFor();
    await dialog().getByText("The tag “Broadcast” was changed.").waitFor();
    expect(await dialog().getByLabel("Name").inputValue()).toBe("VKontakte");
  });

  test("a tag that is deleted late leaves the filter that was chosen meanwhile", async () => {
    await server.ask(
      `mutation { createTag(input: { channelId: ${CHANNEL}, tagTypeId: "${PLATFORM}", name: "Late", color: "#123456" }) { __typename } }`,
    );
    await open();
    await button("Tags").click();
    const release = await holdRequests("DeleteTag");
    await button("Late 0 links", dialog()).click();
    await button("Delete tag", dialog()).click();
    await button("Remove it from 0 links and delete it", dialog()).click();
    await button("Close", dialog()).click();
    await tagFilter("VK").click();
    await page.waitForURL(/tags\./);
    const chosen = page.url();
    release();
    await tagFilter("Late").waitFor({ state: "detached" });
    expect(page.url()).toBe(chosen);
  });

  test("a tag is made in passing, in the form of the link that gets it", async () => {
    await open();
    await button("Create link").click();
    await dialog().getByLabel("Name").fill("With a new tag");
    const types = dialog().getByRole("combobox", { name: "Creative" });
    const make = await holdRequests("MakeTag");
    await types.fill("Podcast");
    await dialog().getByRole("option", { name: "Make the tag “Podcast”" }).click();
    // Another tag is chosen before the answer comes.
    await types.fill("Meme");
    await dialog().getByRole("option", { name: "Meme" }).click();
    await types.fill("Vlog");
    await dialog().getByText("No tag name contains this text.").waitFor();
    make();
    await dialog().getByRole("option", { name: "Make the tag “Vlog”" }).click();
    await shows(() => dialog().locator(".combobox-chip").allInnerTexts()).toEqual([
      "Meme",
      "Podcast",
      "Vlog",
    ]);
    await button("Remove the tag Meme", dialog()).click();
    await button("Remove the tag Vlog", dialog()).click();
    // Escape closes the list and not the dialog.
    await types.fill("Me");
    await dialog().getByRole("option", { name: "Meme" }).waitFor();
    await page.keyboard.press("Escape");
    await dialog().getByRole("option").first().waitFor({ state: "detached" });
    await button("Create link", dialog()).click();
    await dialog().waitFor({ state: "detached" });
    await shows(() => row("With a new tag").locator(".chip").allInnerTexts()).toEqual(["Podcast"]);
    await tagFilter("Podcast").click();
    await shows(names).toEqual(["With a new tag"]);
  });

  test("a link's form is sent only when the tag that is being made for it is there", async () => {
    await open();
    await button("Create link").click();
    await dialog().getByLabel("Name").fill("With a slow tag");
    const make = await holdRequests("MakeTag");
    await dialog().getByRole("combobox", { name: "Creative" }).fill("Slow");
    await dialog().getByRole("option", { name: "Make the tag “Slow”" }).click();
    const submit = button("Create link", dialog());
    await shows(() => submit.getAttribute("aria-disabled")).toBe("true");
    await submit.click({ force: true });
    make();
    await dialog().locator(".combobox-chip").getByText("Slow").waitFor();
    await shows(() => submit.getAttribute("aria-disabled")).toBe("false");
    await submit.click();
    await dialog().waitFor({ state: "detached" });
    await shows(() => row("With a slow tag").locator(".chip").allInnerTexts()).toEqual(["Slow"]);
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
        const form = width < 500 ? dialog() : filters();
        await form.getByLabel("Find a tag of Platform").fill(`${LONG} 77`.toLowerCase());
        await form
          .locator("label")
          .filter({ hasText: `${LONG} 77` })
          .click();
        await shows(count).toBe("0");
        if (width < 500) await button("Show 0 links", dialog()).click();
        await page.getByText("No link matches these filters.").waitFor();
        expect(await overflow()).toBe(0);
        await button("Show all active links").click();
        await button("Create link").click();
        await dialog().waitFor();
        expect(await overflow()).toBe(0);
      },
    );
  });
});

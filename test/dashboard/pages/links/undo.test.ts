import { expect, test } from "vitest";
import { describeInChromium } from "../../../support/chromium.js";
import {
  button,
  chooseTag,
  createLink,
  dialog,
  dollars,
  holdRequests,
  holdToast,
  open,
  page,
  problems,
  row,
  server,
  shows,
  useDashboard,
} from "../../../support/dashboardPage.js";
import { CHANNEL } from "../../../support/server.js";

const toasts = () => page.locator(".toast").allInnerTexts();
const undo = () => button("Undo", page.locator(".toast")).last();

async function change(name: string, fill: () => Promise<void>): Promise<void> {
  await button(`Edit ${name}`).click();
  await fill();
  await button("Save", dialog()).click();
  await dialog().waitFor({ state: "detached" });
  await holdToast("was changed");
}

describeInChromium("undoing a change", () => {
  useDashboard();

  test("a changed budget and changed tags are put back, and a change in Telegram offers no undo", async () => {
    await open();
    await createLink("Changeable", "100");
    await change("Changeable", async () => {
      await dialog().getByLabel("Budget, USD").fill("250.50");
      await chooseTag("Platform", "VK");
    });
    const cells = () => row("Changeable").locator("td.budget, td.tags").allInnerTexts();
    await shows(cells).toEqual(["VK", dollars("250.50")]);
    await undo().click();
    await shows(cells).toEqual(["", dollars("100")]);
    await shows(async () => (await toasts()).join()).toContain("The change of “Changeable” was undone.");
    await change("Changeable", () => dialog().getByLabel("Member limit").fill("7"));
    await shows(() => row("Changeable").locator(".fact").allInnerTexts()).toEqual(["max 7 members"]);
    expect(await page.locator(".toast").last().innerText()).toContain("was changed");
    expect(await undo().count()).toBe(0);
  });

  test("a budget and tags are shown before the server has answered, and put back where it fails", async () => {
    await open();
    await createLink("Guessed", "100");
    const release = await holdRequests("UpdateLink", 500);
    await button("Edit Guessed").click();
    await dialog().getByLabel("Budget, USD").fill("250.50");
    await chooseTag("Platform", "VK");
    await button("Save", dialog()).click();
    const cells = () => row("Guessed").locator("td.budget, td.tags").allInnerTexts();
    await shows(cells).toEqual(["VK", dollars("250.50")]);
    release();
    await dialog().getByRole("alert").waitFor();
    await shows(cells).toEqual(["", dollars("100")]);
    // The browser's own message about status 500.
    expect(problems.consoleMessages.splice(0).join()).toMatch(/500/);
  });

  test("an undo that is refused says why", async () => {
    await open();
    const { data } = await server.ask(
      `mutation { createTag(input: { channelId: ${CHANNEL}, tagTypeId: "${await platform()}", name: "Short-lived", color: "#112233" }) {
        ... on CreateTagSuccess { tag { id } } } }`,
    );
    const { id } = data.createTag.tag;
    await createLink("Once tagged");
    await change("Once tagged", () => chooseTag("Platform", "Short-lived"));
    await shows(() => row("Once tagged").locator(".chip").allInnerTexts()).toEqual(["Short-lived"]);
    await change("Once tagged", async () => {
      await dialog().getByRole("button", { name: "Remove the tag Short-lived" }).click();
    });
    await server.ask(`mutation { deleteTag(input: { id: "${id}" }) { __typename } }`);
    await undo().click();
    await shows(async () => (await toasts()).join()).toMatch(/could not be undone\. \S/);
    await shows(() => row("Once tagged").locator(".chip").count()).toBe(0);
  });
});

async function platform(): Promise<string> {
  const { data } = await server.ask("{ tagTypes { id name } }");
  return data.tagTypes.find(({ name }: { name: string }) => name === "Platform").id;
}

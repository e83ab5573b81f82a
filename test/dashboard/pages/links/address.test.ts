import { expect, test } from "vitest";
import { describeInChromium } from "../../../support/chromium.js";
import {
  ACTIVE,
  button,
  filters,
  linksOfServer,
  nameList,
  names,
  open,
  page,
  problems,
  row,
  server,
  shows,
  showsSummary,
  tagFilter,
  useDashboard,
} from "../../../support/dashboardPage.js";
import { CHANNEL, PLATFORM, YOUTUBE } from "../../../support/server.js";

const DEAD = btoa("Tag:01991000-0000-7000-8000-0000000000ff");
const TYPE = btoa(`TagType:${PLATFORM}`);
const LEFT_OUT = "Parts of the address that do not exist any more were left out.";

describeInChromium("the address of the links", () => {
  useDashboard();

  test("a channel that does not exist is said to be unknown, and the user's channels are offered", async () => {
    await open({}, "/?channel=-100999");
    await page.getByRole("heading", { name: "This channel is not here" }).waitFor();
    expect(await page.locator("tbody tr").count()).toBe(0);
    await page.getByRole("link", { name: "Coffee & Code", exact: true }).click();
    await showsSummary();
    expect(new URL(page.url()).search).toBe(`?channel=${CHANNEL}`);
  });

  test("a tag that does not exist any more is taken out of the address, and the page says so", async () => {
    const alive = btoa(`Tag:${YOUTUBE}`);
    await open({}, `/?${new URLSearchParams({ [`tags.${TYPE}`]: `${DEAD},${alive}`, foo: "1" })}`);
    await page.getByText(LEFT_OUT).waitFor();
    await showsSummary({ ...ACTIVE, tagGroups: [{ tagTypeId: PLATFORM, tagIds: [YOUTUBE] }] });
    expect(await page.getByRole("alert").count()).toBe(0);
    expect(new URL(page.url()).search.length).toBeLessThan(60);
    await button("Dismiss").click();
    expect(await page.getByText(LEFT_OUT).count()).toBe(0);
  });

  test("a filter of nothing but dead tags leaves all links", async () => {
    await open({}, `/?${new URLSearchParams({ [`tags.${TYPE}`]: DEAD, state: "gone" })}`);
    await page.getByText(LEFT_OUT).waitFor();
    await showsSummary();
    await shows(() => page.evaluate("location.search")).toBe("");
  });

  test("a filter by a tag takes less than 60 characters of the address, and shows itself as a chip", async () => {
    await open();
    await tagFilter("YouTube").click();
    const chips = page.getByRole("list", { name: "Applied filters" });
    await chips.getByText("YouTube").waitFor();
    expect(new URL(page.url()).search.length).toBeLessThan(60);
    await page.reload();
    const filter = { ...ACTIVE, tagGroups: [{ tagTypeId: PLATFORM, tagIds: [YOUTUBE] }] };
    await shows(names).toEqual(nameList(await linksOfServer(filter)));
    await button("Remove the filter YouTube").click();
    await showsSummary();
  });

  test("an address without a page says so, and leads back to the links", async () => {
    await open({}, "/no/such/page");
    await page.getByRole("heading", { name: "There is no such page" }).waitFor();
    await page.getByRole("link", { name: "Show the links" }).click();
    await showsSummary();
  });

  test("the title names the page and the channel", async () => {
    await open();
    await shows(() => page.title()).toBe("Links · Coffee & Code · invite-links");
    await page.getByRole("link", { name: "Settings" }).click();
    await shows(() => page.title()).toBe("Settings · Coffee & Code · invite-links");
    await page.goBack();
    await shows(() => page.title()).toBe("Links · Coffee & Code · invite-links");
  });

  test("a form without changes cannot be saved, and of a revoked link only the budget and tags can be changed", async () => {
    await open();
    await filters().getByText("All", { exact: true }).click();
    const [{ name }] = (await linksOfServer({ isRevoked: true })).nodes;
    await button(`Edit ${name}`).click();
    const form = page.getByRole("dialog");
    const save = button("Save", form);
    expect(await save.isDisabled()).toBe(true);
    expect(await form.getByLabel("Name").getAttribute("readonly")).not.toBeNull();
    await form.getByLabel("Budget, USD").fill("77.70");
    expect(await save.isDisabled()).toBe(false);
    await save.click();
    await form.waitFor({ state: "detached" });
    await shows(() => row(name).innerText()).toContain("$77.70");
    const [changed] = (await linksOfServer({ name })).nodes;
    expect(changed).toMatchObject({ budget: "77.70", isRevoked: true });
    expect(problems.consoleMessages).toEqual([]);
    expect(server.log.filter(({ msg }) => msg === "error")).toEqual([]);
  });
});

import type { Request } from "playwright-core";
import { beforeAll, expect, test } from "vitest";
import { PAGE_SIZE } from "../../../../dashboard/src/parts/filter/view.js";
import { describeInChromium } from "../../../support/chromium.js";
import {
  button,
  choose,
  dialog,
  dollars,
  isFocused,
  linksOfServer,
  nameList,
  names,
  open,
  page,
  problems,
  row,
  rows,
  server,
  shows,
  useDashboard,
} from "../../../support/dashboardPage.js";
import { CHANNEL } from "../../../support/server.js";

/** Creates links of which each has the name and a number from 0. */
async function make(name: string, many: number): Promise<void> {
  for (let from = 0; from < many; from += 20) {
    const some = Array.from(
      { length: 20 },
      (_, i) =>
        `m${i}: createInviteLink(input: { channelId: ${CHANNEL}, name: "${name} ${from + i}" }) { __typename }`,
    );
    const { data } = await server.ask(`mutation { ${some.join(" ")} }`);
    expect(new Set(Object.values(data).map((result) => JSON.stringify(result)))).toEqual(
      new Set(['{"__typename":"CreateInviteLinkSuccess"}']),
    );
  }
}

describeInChromium("a long list of links", () => {
  useDashboard();
  beforeAll(() => make("Many", 40));

  test("the list loads as one scrolls, contains each link once and keeps its length after a reload", async () => {
    await open();
    const all = nameList(await linksOfServer());
    expect(all.length).toBeGreaterThan(PAGE_SIZE);
    expect(all.length).toBeLessThan(2 * PAGE_SIZE);
    await shows(names).toEqual(all.slice(0, PAGE_SIZE));
    const pages: Request[] = [];
    page.on("request", (request) => {
      if (request.postDataJSON()?.operationName === "Links") pages.push(request);
    });
    await page.getByTestId("shown").scrollIntoViewIfNeeded();
    await shows(names).toEqual(all);
    // Only the missing page was loaded.
    expect(pages.map((request) => typeof request.postDataJSON().variables.after)).toEqual(["string"]);
    expect(await button("Show more").count()).toBe(0);
    await page.reload();
    await shows(names).toEqual(all);
  });

  test("a page that could not be loaded is reported, and Try again loads it", async () => {
    await open();
    await shows(() => rows().count()).toBe(PAGE_SIZE);
    await page.route("**/graphql", (route, request) =>
      request.postDataJSON().variables?.after
        ? route.fulfill({
            status: 500,
            contentType: "application/json",
            body: '{"errors":[{"message":"Broken"}]}',
          })
        : route.fallback(),
    );
    await page.getByTestId("shown").scrollIntoViewIfNeeded();
    await page.getByRole("alert").getByText("The links could not be loaded").waitFor();
    expect(await rows().count()).toBe(PAGE_SIZE);
    // The message of the browser itself.
    expect(problems.consoleMessages.splice(0).join()).toMatch(/500/);
    await page.unroute("**/graphql");
    await button("Try again").click();
    await shows(names).toEqual(nameList(await linksOfServer()));
    expect(await page.getByRole("alert").count()).toBe(0);
  });
});

describeInChromium("a channel with 3,000 links", () => {
  useDashboard();
  beforeAll(async () => {
    await make("Many", 240);
    const lines = Array.from(
      { length: 2_760 },
      (_, at) => `t.me/+older${at}xxxxxxxxxxx,Older ${at},2020-01-01`,
    );
    const response = await fetch(`${server.origin}/import?channel_id=${CHANNEL}`, {
      method: "POST",
      headers: { "content-type": "text/csv", authorization: `Bearer ${server.token}` },
      body: `url,name,created_at\n${lines.join("\n")}\n`,
    });
    expect(await response.json()).toMatchObject({ created: 2_760 });
  });

  /** Counts the rows of the table whenever it changes. */
  const watchRows = () =>
    page.evaluate(`{
      const table = document.querySelector("section.links");
      const count = () => table.querySelectorAll("tbody tr").length;
      window.fewestRows = count();
      new MutationObserver(() => { window.fewestRows = Math.min(window.fewestRows, count()); })
        .observe(table, { childList: true, subtree: true });
    }`);
  const fewestRows = () => page.evaluate("window.fewestRows");

  const idOf = async (name: string): Promise<string> => {
    const { data } = await server.ask(
      `{ inviteLinks(channelId: ${CHANNEL}, filter: { name: "${name}" }, first: 100) { nodes { id name } } }`,
    );
    return data.inviteLinks.nodes.find((link: { name: string }) => link.name === name).id;
  };

  test("changes by others and by oneself leave the loaded rows, the place and the focus", async () => {
    await open();
    for (let shown = PAGE_SIZE; shown < 400; shown += PAGE_SIZE) {
      await shows(() => rows().count()).toBeGreaterThanOrEqual(shown);
      await page.getByTestId("shown").scrollIntoViewIfNeeded();
    }
    await shows(() => rows().count()).toBeGreaterThanOrEqual(400);
    await row("Many 50").scrollIntoViewIfNeeded();
    await button("Edit Many 50").focus();
    const place = async () => (await row("Many 50").boundingBox())?.y ?? 0;
    const before = await place();
    await watchRows();

    await server.ask(
      `mutation { updateInviteLink(input: { id: "${await idOf("Many 49")}", name: "Renamed" }) { __typename }
        createInviteLink(input: { channelId: ${CHANNEL}, name: "Made elsewhere" }) { __typename } }`,
    );
    await row("Renamed").waitFor();
    await row("Made elsewhere").waitFor();
    expect(await fewestRows()).toBeGreaterThanOrEqual(400);
    await shows(async () => Math.abs((await place()) - before)).toBeLessThan(2);
    expect(await isFocused(button("Edit Many 50"))).toBe(true);

    await button("Edit Many 50").click();
    await dialog().getByLabel("Budget, USD").fill("77");
    await button("Save", dialog()).click();
    await dialog().waitFor({ state: "detached" });
    await shows(() => row("Many 50").locator("td.budget").innerText()).toBe(dollars("77"));
    await choose("Revoke link", "Many 51");
    await button("Revoke link", dialog()).click();
    await row("Many 51").waitFor({ state: "detached" });
    await button("Create link").click();
    await dialog().getByLabel("Name").fill("Made here");
    await button("Create link", dialog()).click();
    await shows(async () => (await names()).slice(0, 2)).toEqual(["Made here", "Made elsewhere"]);
    // The revoked row alone was missing for a while.
    expect(await fewestRows()).toBeGreaterThanOrEqual(399);
  });
});

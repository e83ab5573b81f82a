import type { Request } from "playwright-core";
import { beforeAll, expect, test } from "vitest";
import { PAGE_SIZE } from "../../../../dashboard/src/parts/filter/view.js";
import { describeInChromium } from "../../../support/chromium.js";
import {
  button,
  linksOfServer,
  nameList,
  names,
  open,
  page,
  problems,
  rows,
  server,
  shows,
  useDashboard,
} from "../../../support/dashboardPage.js";
import { CHANNEL } from "../../../support/server.js";

describeInChromium("a long list of links", () => {
  useDashboard();
  beforeAll(async () => {
    for (let from = 0; from < 40; from += 20) {
      const some = Array.from(
        { length: 20 },
        (_, i) =>
          `m${i}: createInviteLink(input: { channelId: ${CHANNEL}, name: "Many ${from + i}" }) { __typename }`,
      );
      const { data } = await server.ask(`mutation { ${some.join(" ")} }`);
      expect(new Set(Object.values(data).map((result) => JSON.stringify(result)))).toEqual(
        new Set(['{"__typename":"CreateInviteLinkSuccess"}']),
      );
    }
  });

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

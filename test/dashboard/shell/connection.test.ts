import { expect, test } from "vitest";
import { describeInChromium } from "../../support/chromium.js";
import {
  ACTIVE,
  button,
  createLink,
  dialog,
  linksOfServer,
  nameList,
  names,
  open,
  page,
  problems,
  shows,
  showsSummary,
  useDashboard,
} from "../../support/dashboardPage.js";

const LOST = "The server cannot be reached. Your input is kept.";
const DEAREST = [{ field: "BUDGET", direction: "DESC" }];

/** Takes the browser's own messages about requests that it could not send. */
function expectFailedRequests(): void {
  for (const message of problems.consoleMessages.splice(0))
    expect(message).toMatch(/ERR_INTERNET_DISCONNECTED|ERR_FAILED|ERR_CONNECTION_REFUSED/);
}

describeInChromium("the connection to the server", () => {
  useDashboard();

  test("a query that failed while offline is sent again when the connection is back", async () => {
    await open();
    await showsSummary();
    await page.context().setOffline(true);
    await button("Budget").click();
    await page.getByText(LOST).waitFor();
    await page.context().setOffline(false);
    await shows(names).toEqual(nameList(await linksOfServer(ACTIVE, DEAREST)));
    await page.getByText(LOST).waitFor({ state: "detached" });
    expect(await page.getByRole("alert").count()).toBe(0);
    await createLink("Made after the break", "99999");
    await shows(async () => (await names())[0]).toBe("Made after the break");
    await showsSummary();
    expectFailedRequests();
  });

  test("a form keeps its input while the server is away, and can be sent when it is back", async () => {
    await open();
    await showsSummary();
    await button("Create link").click();
    await dialog().getByLabel("Name").fill("Kept");
    // As after a restart of the server: the browser itself notices nothing.
    await page.route("**/graphql", (route) => route.abort());
    await button("Create link", dialog()).click();
    await shows(() => dialog().getByRole("alert").getAttribute("data-type")).toBe("Unreachable");
    await page.getByText(LOST).waitFor();
    expect(await dialog().getByLabel("Name").inputValue()).toBe("Kept");
    await page.unroute("**/graphql");
    await page.getByText(LOST).waitFor({ state: "detached" });
    await button("Try again", dialog()).click();
    await dialog().waitFor({ state: "detached" });
    await shows(async () => (await names())[0]).toBe("Kept");
    expectFailedRequests();
  });

  test("a page that could not be loaded at first loads by itself when the server is back", async () => {
    await open();
    await showsSummary();
    let isAway = true;
    await page.route("**/graphql", (route) => (isAway ? route.abort() : route.fallback()));
    await page.reload();
    await page.getByText(LOST).waitFor();
    isAway = false;
    await showsSummary();
    await shows(names).toEqual(nameList(await linksOfServer()));
    expectFailedRequests();
  });
});

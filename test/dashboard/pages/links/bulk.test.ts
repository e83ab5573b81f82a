import { readFile } from "node:fs/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { PAGE_SIZE } from "../../../../dashboard/src/parts/filter/view.js";
import { violationsOf } from "../../../support/accessibility.js";
import { describeInChromium } from "../../../support/chromium.js";
import {
  button,
  chooseTag,
  count,
  dialog,
  ELSEWHERE,
  holdRequests,
  holdToast,
  isFocused,
  linksOfServer,
  names,
  open,
  overflow,
  page,
  problems,
  row,
  rows,
  server,
  shows,
  signIn,
  useDashboard,
} from "../../../support/dashboardPage.js";
import { CHANNEL } from "../../../support/server.js";

const pick = (name: string) => page.getByRole("checkbox", { name: `Select ${name}`, exact: true });
const bar = () => page.getByRole("region", { name: "Selected links" });

async function make(prefix: string, many: number): Promise<void> {
  const some = Array.from(
    { length: many },
    (_, at) =>
      `m${at}: createInviteLink(input: { channelId: ${CHANNEL}, name: "${prefix} ${at}" }) { __typename }`,
  );
  for (let from = 0; from < many; from += 20)
    await server.ask(`mutation { ${some.slice(from, from + 20).join(" ")} }`);
}

describeInChromium("many links at once", () => {
  useDashboard();
  beforeAll(() => make("Row", 60));

  test("a range of rows is selected with Shift, gets tags and loses exactly those again by Undo", async () => {
    await open({}, "/?search=row");
    await shows(() => rows().count()).toBe(PAGE_SIZE);
    await pick("Row 59").check();
    await pick("Row 56").click({ modifiers: ["Shift"] });
    await shows(() => bar().getByRole("status").innerText()).toBe("4 selected");
    expect(await pick("Row 57").isChecked()).toBe(true);
    expect(await violationsOf(page)).toEqual([]);
    await pick("Row 57").uncheck();
    await button("Tags", bar()).click();
    await chooseTag("Platform", "VK");
    expect(await violationsOf(page)).toEqual([]);
    await button("Apply to 3 links", dialog()).click();
    const chips = (name: string) => row(name).locator(".chip").allInnerTexts();
    await shows(() => chips("Row 59")).toEqual(["VK"]);
    await shows(() => chips("Row 58")).toEqual(["VK"]);
    expect(await chips("Row 57")).toEqual([]);
    await shows(() => bar().count()).toBe(0);

    // One of both has the tag already, and must keep it.
    await pick("Row 55").check();
    await pick("Row 56").check();
    await button("Tags", bar()).click();
    await chooseTag("Platform", "VK");
    await button("Apply to 2 links", dialog()).click();
    // The message about the first change may still be there.
    await holdToast("The tags of 2 links were changed.");
    await shows(() => chips("Row 55")).toEqual(["VK"]);
    await button("Undo").last().click();
    await shows(() => chips("Row 55")).toEqual([]);
    expect(await chips("Row 56")).toEqual(["VK"]);
  });

  test("all links that match are selected, also those not loaded, and exported as CSV", async () => {
    await open({}, "/?search=row");
    await shows(() => rows().count()).toBe(PAGE_SIZE);
    await page.getByRole("checkbox", { name: "Select all links shown" }).check();
    await button("Select all 60 that match", bar()).click();
    await shows(() => bar().getByRole("status").innerText()).toBe("60 selected");
    for (const exportButton of [button("Export", bar()), button("Export CSV")]) {
      const [download] = await Promise.all([page.waitForEvent("download"), exportButton.click()]);
      expect(download.suggestedFilename()).toBe("Coffee & Code links.csv");
      const text = await readFile(await download.path(), "utf8");
      // Spreadsheets know UTF-8 by this mark.
      expect(text.startsWith("\ufeff")).toBe(true);
      const lines = text.trim().split("\n");
      expect(lines[0]).toContain("name");
      expect(lines.slice(1).filter((line) => /Row \d/.test(line))).toHaveLength(60);
      expect(lines).toHaveLength(61);
    }
    await button("Clear the selection", bar()).click();
    await shows(() => bar().count()).toBe(0);
    expect(await isFocused(page.getByRole("region", { name: "Links", exact: true }))).toBe(true);
  });

  test("a selection that is cleared while all links are loaded stays empty", async () => {
    await open({}, "/?search=row");
    await shows(() => rows().count()).toBe(PAGE_SIZE);
    await pick("Row 59").check();
    const release = await holdRequests("AllLinks");
    await button("Select all 60 that match", bar()).click();
    await button("Clear the selection", bar()).click();
    const answered = page.waitForResponse("**/graphql");
    release();
    await (await answered).finished();
    await pick("Row 58").check();
    await shows(() => bar().getByRole("status").innerText()).toBe("1 selected");
  });

  test("tags that only a part of the links got are told, given to the rest and taken from all by Undo", async () => {
    const many = 260;
    const lines = Array.from({ length: many }, (_, at) => `t.me/+bulky${at}xxxxxxxxxxx,Bulky ${at}`);
    const response = await fetch(`${server.origin}/import?channel_id=${CHANNEL}`, {
      method: "POST",
      headers: { "content-type": "text/csv", authorization: `Bearer ${server.token}` },
      body: `url,name\n${lines.join("\n")}\n`,
    });
    expect(await response.json()).toMatchObject({ created: many });
    const tagged = async () => {
      const { totalCount, facets } = await linksOfServer({ search: "bulky" });
      const platform = facets.find(({ type }: { type: { name: string } }) => type.name === "Platform");
      return totalCount - platform.withoutTypeCount;
    };
    await open({}, "/?search=bulky");
    await shows(() => rows().count()).toBe(PAGE_SIZE);
    await page.getByRole("checkbox", { name: "Select all links shown" }).check();
    await button(`Select all ${many} that match`, bar()).click();
    await button("Tags", bar()).click();
    await chooseTag("Platform", "VK");
    await page.route("**/graphql", (route, request) => {
      const { operationName, variables } = request.postDataJSON() ?? {};
      return operationName === "SetLinkTags" && variables.input.ids.length < 250
        ? route.fulfill({ status: 500, body: "" })
        : route.fallback();
    });
    await button(`Apply to ${many} links`, dialog()).click();
    await dialog().getByText(`The tags of 250 of ${many} links were changed.`).waitFor();
    expect(await dialog().getByRole("alert").count()).toBe(1);
    // The browser's own message about status 500.
    expect(problems.consoleMessages.splice(0).join()).toMatch(/500/);
    await page.unroute("**/graphql");
    await button("Apply to 10 links", dialog()).click();
    await dialog().waitFor({ state: "detached" });
    await holdToast(`The tags of ${many} links were changed.`);
    expect(await tagged()).toBe(many);
    await button("Undo").last().click();
    await page.getByText("The change of the tags was undone.").waitFor();
    expect(await tagged()).toBe(0);
  });

  test("many links are revoked after a question, and one that Telegram refuses is named with the reason", async () => {
    await make("Ending", 3);
    await open({}, "/?search=ending");
    await shows(() => rows().count()).toBe(3);
    await page.getByRole("checkbox", { name: "Select all links shown" }).check();
    await button("Revoke", bar()).click();
    await dialog().getByRole("heading", { name: "Revoke 3 links?" }).waitFor();
    await shows(() => isFocused(button("Cancel", dialog()))).toBe(true);
    server.sandbox.control.fail({ kind: "cut", effect: "before" }, { method: "revokeChatInviteLink" });
    await button("Revoke 3 links", dialog()).click();
    await dialog().getByText("2 links were revoked.").waitFor();
    const refused = dialog().getByRole("list", { name: "Links that were not revoked" });
    expect(await refused.innerText()).toMatch(/^Ending 2 The request was sent, but its answer was lost/);
    expect(await violationsOf(page)).toEqual([]);
    await button("Try again", dialog()).click();
    await dialog().getByText("3 links were revoked.").waitFor();
    await button("Close", dialog()).last().click();
    await shows(count).toBe("0");
    expect((await linksOfServer({ search: "ending", isRevoked: true })).totalCount).toBe(3);
  });

  describe.each([
    { width: 390, colorScheme: "light" },
    { width: 1280, colorScheme: "dark" },
  ] as const)("at $width px in $colorScheme colors", ({ width, colorScheme }) => {
    test("the bar fits the page and has no accessibility violation", async () => {
      await open({ viewport: { width, height: 800 }, colorScheme });
      await shows(() => rows().count()).toBeGreaterThan(2);
      await pick((await names())[0] ?? "").check();
      await bar().waitFor();
      expect(await overflow()).toBe(0);
      expect(await violationsOf(page)).toEqual([]);
    });
  });

  test("a viewer has nothing to select", async () => {
    await open(ELSEWHERE);
    await signIn(await server.makeToken({ role: "VIEWER" }));
    await shows(() => rows().count()).toBeGreaterThan(2);
    expect(await page.getByRole("checkbox", { name: /^Select / }).count()).toBe(0);
    expect(await button("Export CSV").count()).toBe(0);
  });

  // The last one: Telegram's wait holds back all calls of the bot.
  test("a wait that Telegram asks for is counted down, and can be stopped", async () => {
    await make("Waiting", 2);
    await open({}, "/?search=waiting");
    await shows(() => rows().count()).toBe(2);
    await page.getByRole("checkbox", { name: "Select all links shown" }).check();
    await button("Revoke", bar()).click();
    server.sandbox.control.fail(
      { kind: "too-many-requests", retryAfter: 60 },
      { method: "revokeChatInviteLink" },
    );
    await button("Revoke 2 links", dialog()).click();
    await dialog()
      .getByText(/^Telegram asks us to wait, \d+ s$/)
      .waitFor();
    await button("Stop", dialog()).click();
    await dialog().getByText("0 links were revoked.").waitFor();
    await button("Close", dialog()).last().click();
    await shows(count).toBe("2");
  });
});

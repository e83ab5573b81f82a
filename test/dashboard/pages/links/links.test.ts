import jsqr from "jsqr";
import { describe, expect, test } from "vitest";
import { describeInChromium } from "../../../support/chromium.js";
import {
  ACTIVE,
  browser,
  budget,
  button,
  choose,
  chooseTag,
  count,
  createLink,
  dialog,
  dollars,
  filters,
  holdRequests,
  holdToast,
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
  showsSummary,
  tagFilter,
  useDashboard,
} from "../../../support/dashboardPage.js";
import { CHANNEL, CREATIVE, PLATFORM, YOUTUBE } from "../../../support/server.js";

// The types of jsqr describe an ES module, but the package is CommonJS.
const decode = jsqr as unknown as typeof jsqr.default;

describeInChromium("the dashboard in Chromium, without internet", () => {
  useDashboard();

  describe("a list", () => {
    test("the list, its sums and the counts of all tags follow the filter", async () => {
      await open();
      await showsSummary();
      await tagFilter("YouTube").click();
      const filter = { ...ACTIVE, tagGroups: [{ tagTypeId: PLATFORM, tagIds: [YOUTUBE] }] };
      await showsSummary(filter);
      const expected = await linksOfServer(filter);
      await shows(names).toEqual(nameList(expected));
      for (const { type, withoutTypeCount, tags } of expected.facets) {
        for (const { tag, count } of tags)
          expect(await tagFilter(tag.name).innerText()).toMatch(new RegExp(`\\b${count} links?$`));
        expect(await tagFilter(`No ${type.name}`).innerText()).toMatch(
          new RegExp(`\\b${withoutTypeCount} links?$`),
        );
      }
      await tagFilter("No Creative").click();
      const without = {
        ...ACTIVE,
        tagGroups: [...filter.tagGroups, { tagTypeId: CREATIVE, withoutType: true }],
      };
      await showsSummary(without);
      expect((await linksOfServer(without)).totalCount).toBeLessThan(expected.totalCount);
      await button("Clear filters", filters()).click();
      await showsSummary();
    });

    test("the list is filtered by name and state, and a message is shown if nothing matches", async () => {
      await open();
      await page.getByLabel("Search links").fill("КОФЕ");
      await shows(names).toEqual(nameList(await linksOfServer({ ...ACTIVE, name: "кофе" })));
      await page.getByLabel("Search links").fill("no such link");
      await page.getByText("No link matches these filters.").waitFor();
      await button("Show all active links").click();
      await filters().getByText("Revoked", { exact: true }).click();
      const revoked = await linksOfServer({ isRevoked: true });
      expect(revoked.totalCount).toBeGreaterThan(0);
      await shows(names).toEqual(nameList(revoked));
      expect(await rows().locator("[data-kind=ended]").allInnerTexts()).toEqual(
        revoked.nodes.map(() => "revoked"),
      );
    });

    test("a click on a column heading sorts the list", async () => {
      await open();
      await button("Budget").click();
      await shows(names).toEqual(
        nameList(await linksOfServer(ACTIVE, [{ field: "BUDGET", direction: "DESC" }])),
      );
      expect(await page.getByRole("columnheader", { name: "Budget" }).getAttribute("aria-sort")).toBe(
        "descending",
      );
      await button(/^Budget/).click();
      await shows(names).toEqual(
        nameList(await linksOfServer(ACTIVE, [{ field: "BUDGET", direction: "ASC" }])),
      );
    });

    test("the address contains the filter and the order, so reloading and going back restore the list", async () => {
      await open();
      await tagFilter("Meme").click();
      const memes = nameList(
        await linksOfServer({ ...ACTIVE, tagGroups: await groupOf("Creative", "Meme") }),
      );
      await shows(names).toEqual(memes);
      await button(/^Budget/).click();
      const dearest = nameList(
        await linksOfServer({ ...ACTIVE, tagGroups: await groupOf("Creative", "Meme") }, [
          { field: "BUDGET", direction: "DESC" },
        ]),
      );
      await shows(names).toEqual(dearest);
      await page.reload();
      await shows(names).toEqual(dearest);
      expect(await tagFilter("Meme").getByRole("checkbox").isChecked()).toBe(true);
      await page.goBack();
      await shows(names).toEqual(memes);
      await page.goBack();
      await showsSummary();
      await page.goForward();
      await shows(names).toEqual(memes);
    });

    test("nothing of another filter stands under an error, and trying again loads all that failed", async () => {
      await open();
      await showsSummary();
      await shows(() => rows().count()).toBeGreaterThan(0);
      const alerts = page.getByRole("alert");
      const failing = async (operations: readonly string[]) => {
        for (const name of operations) (await holdRequests(name, 500))();
      };
      await failing(["Links", "Summary", "Sums"]);
      await tagFilter("YouTube").click();
      await alerts.getByText("The links could not be loaded.").waitFor();
      await shows(() => rows().count()).toBe(0);
      await shows(async () => [await count(), await budget()]).toEqual(["–", "–"]);
      expect(await alerts.count()).toBe(1);
      await page.unroute("**/graphql");
      await button("Try again", alerts).click();
      const filter = { ...ACTIVE, tagGroups: [{ tagTypeId: PLATFORM, tagIds: [YOUTUBE] }] };
      await showsSummary(filter);
      await shows(names).toEqual(nameList(await linksOfServer(filter)));
      await alerts.waitFor({ state: "detached" });

      await failing(["Sums"]);
      await tagFilter("No Creative").click();
      await alerts.getByText("The sums could not be loaded.").waitFor();
      await shows(budget).toBe("–");
      await page.unroute("**/graphql");
      await button("Try again", alerts).click();
      const without = {
        ...ACTIVE,
        tagGroups: [...filter.tagGroups, { tagTypeId: CREATIVE, withoutType: true }],
      };
      await showsSummary(without);
      await alerts.waitFor({ state: "detached" });

      await failing(["Budgets"]);
      await tagFilter("Meme").click();
      await alerts.getByText("The budgets could not be loaded.").waitFor();
      await shows(() => page.locator(".bars li").count()).toBe(0);
      await page.unroute("**/graphql");
      await button("Try again", alerts).click();
      await shows(() => page.locator(".bars li").count()).toBeGreaterThan(0);
      await alerts.waitFor({ state: "detached" });
      // The browser's own messages about status 500.
      expect(problems.consoleMessages.splice(0).join()).toMatch(/500/);
    });

    test("choosing another channel shows its links in its currency", async () => {
      await open();
      await showsSummary();
      await page
        .getByRole("combobox", { name: "Channel", exact: true })
        .selectOption("Coffee & Code: the chat");
      await page.getByRole("heading", { name: "Coffee & Code: the chat" }).waitFor();
      await shows(budget).toMatch(/^€/);
      await page.reload();
      await shows(budget).toMatch(/^€/);
    });

    test("a tab keeps its channel while another tab shows another one", async () => {
      const first = await open();
      await showsSummary();
      const second = await first.context().newPage();
      await second.goto(server.origin);
      const choice = second.getByRole("combobox", { name: "Channel", exact: true });
      await choice.selectOption("Coffee & Code: the chat");
      await second.getByRole("heading", { name: "Coffee & Code: the chat" }).waitFor();
      await row("Friday quiz").getByRole("checkbox").check();
      await first.getByRole("searchbox", { name: "Search links" }).fill("quiz");
      await shows(() => rows().count()).toBe(1);
      expect(await first.getByRole("heading", { level: 1 }).innerText()).toBe("Coffee & Code");
    });

    test("the chart shows the budget of each tag of a type under the filter, and compares it to all links", async () => {
      await open();
      await page.getByLabel("Tag type of the chart").selectOption("Platform");
      const budgets = async (filter: object) => {
        const { data } = await server.ask(
          `query ($filter: InviteLinkFilter) {
            inviteLinks(channelId: ${CHANNEL}, filter: $filter, first: 0) {
              groups(by: TAG, tagTypeId: "${PLATFORM}") { linkCount tag { name } totals { budget } } } }`,
          { filter },
        );
        return data.inviteLinks.groups as {
          linkCount: number;
          tag: { name: string } | null;
          totals: { budget: string };
        }[];
      };
      const bar = (name: string) => page.locator(".bars li").filter({ hasText: name });
      for (const { tag, totals } of await budgets(ACTIVE))
        await shows(() => bar(tag?.name ?? "No Platform").innerText()).toContain(dollars(totals.budget));
      await tagFilter("Meme").click();
      const memes = await budgets({ ...ACTIVE, tagGroups: await groupOf("Creative", "Meme") });
      await shows(() => page.locator(".bars li").count()).toBe(memes.length);
      for (const { tag, totals } of memes)
        await shows(() => bar(tag?.name ?? "No Platform").innerText()).toContain(dollars(totals.budget));
      await page.getByLabel("Compare to all links").check();
      const all = await budgets({});
      for (const { tag } of memes) {
        const whole = all.find((group) => group.tag?.name === tag?.name);
        await shows(() => bar(tag?.name ?? "No Platform").innerText()).toContain(
          `of ${dollars(whole?.totals.budget ?? "")}`,
        );
      }
    });
  });

  async function groupOf(type: string, tag: string) {
    const { data } = await server.ask(
      `{ tags(channelId: ${CHANNEL}, name: "${tag}") { nodes { id type { id name } } } }`,
    );
    const found = data.tags.nodes.find((node: { type: { name: string } }) => node.type.name === type);
    return [{ tagTypeId: found.type.id, tagIds: [found.id] }];
  }

  describe("a link", () => {
    test("a link is created after its errors are corrected, and is first in the list", async () => {
      await open();
      await showsSummary();
      const before = await linksOfServer();
      await button("Create link").click();
      const name = dialog().getByLabel("Name");
      // The form opens on its first field, and says itself what is missing.
      await shows(() => isFocused(name)).toBe(true);
      await button("Create link", dialog()).click();
      await dialog().getByText("Enter a name.").waitFor();
      expect(await name.getAttribute("aria-invalid")).toBe("true");
      expect(await isFocused(name)).toBe(true);
      await name.fill("x".repeat(33));
      await dialog().getByLabel("Member limit").fill("5");
      await dialog().getByLabel("Require approval to join").check();
      await button("Create link", dialog()).click();
      await dialog().getByText("Please fix the highlighted fields.").waitFor();
      expect(await dialog().getByRole("alert").getAttribute("data-type")).toBe("ValidationError");
      // The first invalid field has the focus and shows its error.
      await shows(() => isFocused(name)).toBe(true);
      expect(await name.getAttribute("aria-invalid")).toBe("true");
      expect(await dialog().locator(".field-problem").count()).toBe(2);
      await name.fill("Made here");
      await dialog().getByLabel("Require approval to join").uncheck();
      await dialog().getByLabel("Budget, USD").fill("1 099,50");
      await chooseTag("Platform", "YouTube");
      await button("Try again", dialog()).click();
      await dialog().waitFor({ state: "detached" });
      await page.getByText("“Made here” was created.").waitFor();
      await shows(async () => (await names())[0]).toBe("Made here");
      await showsSummary();
      const after = await linksOfServer();
      expect(after.totalCount).toBe(before.totalCount + 1);
      expect(after.nodes[0]).toMatchObject({
        name: "Made here",
        budget: "1099.50",
        tags: [{ name: "YouTube" }],
      });
      await shows(() => row("Made here").innerText()).toContain("max 5 members");
    });

    test("a new link is shown before the list is loaded again", async () => {
      await open();
      await showsSummary();
      await shows(() => rows().count()).toBeGreaterThan(0);
      const release = await holdRequests("Links");
      await createLink("Shown at once");
      await shows(async () => (await names())[0]).toBe("Shown at once");
      release();
      await showsSummary();
    });

    test("the message after a creation copies the link and shows it where the filter hides it, and goes away", async () => {
      await open();
      await page.clock.install();
      await tagFilter("Meme").click();
      await shows(async () => (await names()).length).toBeLessThan(10);
      await createLink("Hidden by the filter");
      const message = page.locator(".toast");
      await message.getByRole("button", { name: "Copy link" }).click();
      const [{ url }] = (await linksOfServer({ name: "Hidden by the filter" })).nodes;
      expect(await page.evaluate("navigator.clipboard.readText()")).toBe(url);
      await message.waitFor({ state: "detached" });
      await createLink("Hidden again");
      await message.getByRole("button", { name: "Show it" }).click();
      await shows(async () => (await names()).slice(0, 2)).toEqual(["Hidden again", "Hidden by the filter"]);
      await createLink("Another one");
      await message.waitFor();
      await page.clock.fastForward(6100);
      await message.waitFor({ state: "detached" });
    });

    test("saving a link sends only the changed fields, and the sums and counts follow", async () => {
      await open();
      await createLink("To change", "10");
      await showsSummary();
      await button("Edit To change").click();
      await dialog().getByLabel("Budget, USD").fill("1234567890.12");
      await chooseTag("Creative", "Meme");
      const sent = page.waitForRequest((request) => request.postDataJSON()?.operationName === "UpdateLink");
      await button("Save", dialog()).click();
      const { input } = (await sent).postDataJSON().variables;
      expect(Object.keys(input).sort()).toEqual(["budget", "id", "tagIds"]);
      await dialog().waitFor({ state: "detached" });
      await shows(() => row("To change").innerText()).toMatch(/\$1,234,567,890\.12/);
      await shows(() => row("To change").locator(".chip").allInnerTexts()).toEqual(["Meme"]);
      await showsSummary();
    });

    test("a link is revoked only after a confirmation, and the focus stays in the list", async () => {
      await open();
      await createLink("To revoke");
      await choose("Revoke link", "To revoke");
      // Pressing Enter at once does no harm.
      await shows(() => isFocused(button("Cancel", dialog()))).toBe(true);
      await page.keyboard.press("Enter");
      await dialog().waitFor({ state: "detached" });
      await shows(() => isFocused(button("More actions for To revoke"))).toBe(true);
      await choose("Revoke link", "To revoke");
      await button("Revoke link", dialog()).click();
      await dialog().waitFor({ state: "detached" });
      await shows(() => row("To revoke").count()).toBe(0);
      await showsSummary();
      // It was the first row, and the focus goes to the one that is first now.
      const [next] = await names();
      await shows(() =>
        page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.tagName"),
      ).toBe(`More actions for ${next}`);
      await filters().getByText("Revoked", { exact: true }).click();
      await shows(() => row("To revoke").innerText()).toContain("revoked");
      await button("More actions for To revoke").click();
      await page.getByRole("menuitem", { name: "Edit" }).waitFor();
      expect(await page.getByRole("menuitem", { name: "Revoke link" }).count()).toBe(0);
      await page.keyboard.press("Escape");
      expect((await linksOfServer({ name: "To revoke" })).nodes).toMatchObject([{ isRevoked: true }]);
    });

    test("who decides requests is chosen at creation, and a failure of that says that the link exists", async () => {
      const policyOf = async (name: string) => {
        const { data } = await server.ask(
          `{ inviteLinks(channelId: ${CHANNEL}, filter: { name: "${name}" }) { nodes {
            joinRequestPolicy { decider approveAfterSeconds } } } }`,
        );
        return data.inviteLinks.nodes.map((link: { joinRequestPolicy: object }) => link.joinRequestPolicy);
      };
      const create = async (name: string) => {
        await button("Create link").click();
        await dialog().getByLabel("Name").fill(name);
        expect(await dialog().getByText("People decide").count()).toBe(0);
        await dialog().getByLabel("Require approval to join").check();
        await dialog().getByLabel("The server approves").check();
        await dialog().getByLabel("How long after the request").selectOption("3600");
        await button("Create link", dialog()).click();
        await dialog().waitFor({ state: "detached" });
      };
      await open();
      await create("Approved later");
      await page.getByText("“Approved later” was created.").waitFor();
      expect(await policyOf("Approved later")).toEqual([{ decider: "AUTOMATIC", approveAfterSeconds: 3600 }]);

      const release = await holdRequests("SetPolicy", 500);
      release();
      await create("Half made");
      await holdToast("“Half made” was created, but not who decides its requests");
      // The browser's own message about status 500.
      expect(problems.consoleMessages.splice(0).join()).toMatch(/500/);
      expect(await policyOf("Half made")).toEqual([{ decider: "PEOPLE", approveAfterSeconds: null }]);
      await button("Edit", page.locator(".toast").last()).click();
      await dialog().getByRole("heading", { name: "Edit Half made" }).waitFor();
      expect(await dialog().getByLabel("People decide").isChecked()).toBe(true);
    });

    test("times are shown and entered in the time zone of the channel, not of the browser", async () => {
      await open({ timezoneId: "Pacific/Kiritimati" });
      await button("Create link").click();
      await dialog().getByLabel("Name").fill("Until noon");
      await dialog().getByText("Time zone: UTC").waitFor();
      await dialog().getByLabel("Expires").fill("2037-03-01T12:00");
      await button("Create link", dialog()).click();
      await dialog().waitFor({ state: "detached" });
      await row("Until noon").getByText("expires Mar 1, 2037").waitFor();
      const { data } = await server.ask(
        `{ inviteLinks(channelId: ${CHANNEL}, filter: { name: "Until noon" }) { nodes { createdAt expireDate } } }`,
      );
      const [{ createdAt, expireDate }] = data.inviteLinks.nodes;
      expect(expireDate).toBe("2037-03-01T12:00:00.000Z");
      const written = new Intl.DateTimeFormat("en-US", { dateStyle: "medium", timeZone: "UTC" });
      expect(await row("Until noon").locator("td.created_at").innerText()).toBe(
        written.format(new Date(createdAt)),
      );
      await button("Edit Until noon").click();
      expect(await dialog().getByLabel("Expires").inputValue()).toBe("2037-03-01T12:00");
    });

    test("a request that ends after its dialog was left closes no other dialog", async () => {
      await open();
      await createLink("To leave");
      const release = await holdRequests("RevokeLink");
      await choose("Revoke link", "To leave");
      await button("Revoke link", dialog()).click();
      await button("Cancel", dialog()).click();
      await button("Create link").click();
      await dialog().getByLabel("Name").fill("Half written");
      release();
      await page.getByText("“To leave” was revoked.").waitFor();
      await row("To leave").waitFor({ state: "detached" });
      expect(await dialog().getByLabel("Name").inputValue()).toBe("Half written");
    });

    test("a link can be copied, and its QR code contains its address", async () => {
      await open();
      const [{ name, url }] = (await linksOfServer()).nodes;
      const copy = row(name).getByRole("button", { name: `Copy ${url.replace("https://", "")}` });
      // The row says so for two seconds.
      await Promise.all([row(name).getByText("Copied").waitFor(), copy.click()]);
      expect(await page.evaluate("navigator.clipboard.readText()")).toBe(url);
      await choose("QR code", name);
      const image = page.getByAltText(`QR code of ${url}`);
      const picture = (await image.screenshot()).toString("base64");
      const reader = await browser.newPage();
      // The policy of a blank page allows it to read an image, the dashboard's policy does not.
      const { data, width, height } = (await reader.evaluate(`(async () => {
        const picture = new Image();
        picture.src = "data:image/png;base64,${picture}";
        await picture.decode();
        const { width, height } = picture;
        const canvas = new OffscreenCanvas(width, height).getContext("2d");
        canvas.drawImage(picture, 0, 0);
        return { width, height, data: [...canvas.getImageData(0, 0, width, height).data] };
      })()`)) as { data: number[]; width: number; height: number };
      await reader.close();
      expect(decode(Uint8ClampedArray.from(data), width, height)?.data).toBe(url);
    });

    test("a browser that does not allow copying is reported, from the menu of a row and after a creation", async () => {
      await open();
      await showsSummary();
      await page.evaluate(
        "navigator.clipboard.writeText = () => Promise.reject(new Error()); document.execCommand = () => false;",
      );
      const refused = page.locator(".toast").filter({ hasText: "The browser does not allow copying." });
      const [name] = await names();
      await choose("Copy link", name ?? "");
      await refused.waitFor();
      await button("Dismiss the message", refused).click();
      await refused.waitFor({ state: "detached" });
      await createLink("Not to copy");
      await button("Copy link", page.locator(".toast")).click();
      await refused.waitFor();
    });

    test("a link can be created with the keyboard alone", async () => {
      await open();
      await button("Create link").focus();
      await page.keyboard.press("Enter");
      await dialog().waitFor();
      await page.keyboard.press("Escape");
      await dialog().waitFor({ state: "detached" });
      expect(await button("Create link").evaluate((element) => element === document.activeElement)).toBe(
        true,
      );
      await page.keyboard.press("Enter");
      await shows(() => isFocused(dialog().getByLabel("Name"))).toBe(true);
      await page.keyboard.type("By keyboard");
      await page.keyboard.press("Enter");
      await dialog().waitFor({ state: "detached" });
      await shows(async () => (await names())[0]).toBe("By keyboard");
    });
  });
});

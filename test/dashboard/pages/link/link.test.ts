import { expect, test } from "vitest";
import { shortenId } from "../../../../dashboard/src/shell/shortId.js";
import { violationsOf } from "../../../support/accessibility.js";
import { describeInChromium } from "../../../support/chromium.js";
import {
  button,
  dialog,
  dollars,
  ELSEWHERE,
  holdRequests,
  listens,
  names,
  open,
  overflow,
  page,
  problems,
  row,
  server,
  shows,
  signIn,
  useDashboard,
} from "../../../support/dashboardPage.js";
import { CHANNEL, GROUP } from "../../../support/server.js";

const person = (id: number) => ({ id, is_bot: false, first_name: `Person ${id}` });

const pathOf = (id: string, channel = CHANNEL) => `/links/${shortenId("InviteLink", id)}?channel=${channel}`;

/** Creates a link and gives its address on the dashboard. */
async function makeLink(input: object): Promise<{ id: string; url: string; path: string }> {
  const { data } = await server.ask(
    `mutation ($input: CreateInviteLinkInput!) { createInviteLink(input: $input) {
      ... on CreateInviteLinkSuccess { inviteLink { id url } } ... on UserError { message } } }`,
    { input: { channelId: CHANNEL, ...input } },
  );
  const { id, url } = data.createInviteLink.inviteLink;
  return { id, url, path: pathOf(id) };
}

/** The sample's link with the most members. */
async function busiest() {
  const { data } = await server.ask(
    `{ inviteLinks(channelId: ${CHANNEL}, first: 1, orderBy: [{ field: JOIN_COUNT, direction: DESC }]) { nodes {
      id name url budget members(first: 0) { totalCount } left: members(isActive: false, first: 0) { totalCount }
      stats { joinCount activeCount leaveCount costPerJoin costPerActiveMember } } } }`,
  );
  return data.inviteLinks.nodes[0];
}

const tile = (id: string): Promise<string> => page.getByTestId(id).innerText();
const members = () => page.getByRole("region", { name: "Members" });
const history = () => page.getByRole("region", { name: "History" });
const event = (text: string | RegExp) => history().locator("li").getByText(text, { exact: true });

describeInChromium("the page of a link", () => {
  useDashboard();

  test("a name in the table opens the link's page, which has its numbers, and Back returns to the table", async () => {
    const link = await busiest();
    await open({}, "/?state=all");
    await row(link.name).getByRole("link", { name: link.name }).click();
    await page.getByRole("heading", { level: 1, name: link.name }).waitFor();
    const english = new Intl.NumberFormat("en-US");
    const { stats } = link;
    await shows(() =>
      Promise.all(["joins", "members", "left", "budget", "costPerJoin", "cost"].map(tile)),
    ).toEqual([
      english.format(stats.joinCount),
      english.format(stats.activeCount),
      english.format(stats.leaveCount),
      dollars(link.budget),
      stats.costPerJoin === null ? "–" : dollars(stats.costPerJoin),
      stats.costPerActiveMember === null ? "–" : dollars(stats.costPerActiveMember),
    ]);
    await shows(() => page.title()).toBe(`${link.name} · Coffee & Code · invite-links`);
    expect(new URL(page.url()).pathname).toMatch(/^\/links\/[\w-]{22}$/);
    await page.reload();
    await page.getByRole("heading", { level: 1, name: link.name }).waitFor();
    await page.goBack();
    await shows(async () => (await names()).includes(link.name)).toBe(true);
    await shows(() => page.title()).toBe("Links · Coffee & Code · invite-links");
  });

  test("another link that the palette leads to has nothing of the one before", async () => {
    const before = await busiest();
    const name = "Next to see";
    await makeLink({ name });
    await open({}, pathOf(before.id));
    await shows(() => members().locator("tbody tr").count()).toBe(20);
    await shows(() => history().locator("li").count()).toBeGreaterThan(1);
    await shows(() => page.title()).toMatch(before.name);
    const releases = [await holdRequests("LinkMembers"), await holdRequests("LinkPage")];
    await page.keyboard.press("Control+k");
    await dialog().getByRole("combobox", { name: "Search or jump" }).fill(name);
    await dialog().getByRole("option", { name }).click();
    await dialog().waitFor({ state: "detached" });
    await shows(() => page.title()).toBe("Link · Coffee & Code · invite-links");
    await event(/ created the link$/).waitFor();
    expect(await members().locator("tbody tr").count()).toBe(0);
    expect(await history().getByRole("status").innerText()).toBe("");
    for (const release of releases) release();
    await page.getByRole("heading", { level: 1, name }).waitFor();
    await members().getByText("Nobody yet.").waitFor();
    await shows(() => page.title()).toBe(`${name} · Coffee & Code · invite-links`);
  });

  test("the members come in pages, all of them or those who left", async () => {
    const link = await busiest();
    expect(link.members.totalCount).toBeGreaterThan(20);
    await open({}, pathOf(link.id));
    const count = () => members().locator("tbody tr").count();
    await shows(count).toBe(20);
    await button("Show more", members()).click();
    await shows(count).toBe(Math.min(40, link.members.totalCount));
    await members().getByText("Left", { exact: true }).first().click();
    await shows(count).toBe(Math.min(20, link.left.totalCount));
    expect(await members().getByText("still here").count()).toBe(0);
  });

  test("the first member who comes and leaves moves the page without a reload", async () => {
    const { url, path } = await makeLink({ name: "Watched", budget: "9" });
    await open({}, path);
    await shows(() => tile("joins")).toBe("0");
    await members().getByText("Nobody yet.").waitFor();
    const { data: caller } = await server.ask("{ viewer { name } }");
    await event(`${caller.viewer.name} created the link`).waitFor();
    // What the history is loaded with is no news.
    await shows(() => history().getAttribute("aria-busy")).toBe("false");
    await listens();
    server.sandbox.control.join(CHANNEL, person(8_200_001), { url });
    await shows(() => tile("joins")).toBe("1");
    await shows(() => tile("costPerJoin")).toBe("$9.00");
    await shows(() => members().locator("tbody tr").innerText()).toMatch(/User 8200001.*still here/s);
    await event("User 8200001 joined").waitFor();
    // A screen reader is told.
    await shows(() => history().getByRole("status").innerText()).toBe("User 8200001 joined");
    server.sandbox.control.leave(CHANNEL, 8_200_001);
    await event("User 8200001 left").waitFor();
    await shows(() => Promise.all(["joins", "members", "left"].map(tile))).toEqual(["1", "0", "1"]);
    await shows(() => members().locator("tbody tr").innerText()).not.toMatch(/still here/);
    await page.getByRole("img", { name: "1 joined, 1 left" }).waitFor();
  });

  test("the history of a link that is shown again has what happened meanwhile", async () => {
    const name = "Left for a while";
    const { id, url, path } = await makeLink({ name, budget: "5" });
    await open({}, path);
    await event(/ created the link$/).waitFor();
    await page.locator(".back").click();
    await row(name).waitFor();
    await server.ask(`mutation { updateInviteLink(input: { id: "${id}", budget: "7" }) { __typename } }`);
    server.sandbox.control.join(CHANNEL, person(8_200_002), { url });
    await shows(() => row(name).locator(".join_count").innerText()).toBe("1");
    await row(name).getByRole("link", { name }).click();
    await event("User 8200002 joined").waitFor();
    await event("Budget: $5.00 → $7.00").waitFor();
    // It is no news any more.
    expect(await history().getByRole("status").innerText()).toBe("");
  });

  test("a link is copied, edited, duplicated and revoked on its page", async () => {
    const { url, path } = await makeLink({ name: "To handle", budget: "5", memberLimit: 7 });
    await open({}, path);
    await button("Copy link").click();
    await shows(() => page.evaluate("navigator.clipboard.readText()")).toBe(url);
    await button("QR code").click();
    await page.getByAltText(`QR code of ${url}`).waitFor();
    await page.keyboard.press("Escape");
    await button("Edit").click();
    await dialog().getByLabel("Budget, USD").fill("77");
    await button("Save", dialog()).click();
    await shows(() => tile("budget")).toBe("$77.00");
    await event("Budget: $5.00 → $77.00").waitFor();
    await button("Duplicate").click();
    expect(await dialog().getByLabel("Name").inputValue()).toBe("To handle");
    expect(await dialog().getByLabel("Member limit").inputValue()).toBe("7");
    await dialog().getByLabel("Name").fill("Its twin");
    await button("Create link", dialog()).click();
    await page.getByText("“Its twin” was created.").waitFor();
    const { data } = await server.ask(
      `{ inviteLinks(channelId: ${CHANNEL}, filter: { name: "Its twin" }) { nodes { budget memberLimit } } }`,
    );
    expect(data.inviteLinks.nodes).toEqual([{ budget: "77.00", memberLimit: 7 }]);
    await button("Revoke link").click();
    await button("Revoke link", dialog()).click();
    await dialog().waitFor({ state: "detached" });
    await page.locator(".link-marks").getByText("revoked", { exact: true }).waitFor();
    expect(await button("Revoke link").count()).toBe(0);
  });

  test("the copy of a link that asks for approval begins with who decides its requests", async () => {
    const { id, path } = await makeLink({ name: "Decided", createsJoinRequest: true });
    const decide = `mutation { setJoinRequestPolicy(
      input: { inviteLinkId: "${id}", decider: AUTOMATIC, approveAfterSeconds: 3600 }) { __typename } }`;
    expect((await server.ask(decide)).data.setJoinRequestPolicy.__typename).toBe(
      "SetJoinRequestPolicySuccess",
    );
    await open({}, path);
    await button("Duplicate").click();
    await dialog().getByLabel("Name").fill("Decided as well");
    expect(await dialog().getByLabel("The server approves").isChecked()).toBe(true);
    expect(await dialog().getByLabel("How long after the request").inputValue()).toBe("3600");
    await button("Create link", dialog()).click();
    await page.getByText("“Decided as well” was created.").waitFor();
    const { data } = await server.ask(
      `{ inviteLinks(channelId: ${CHANNEL}, filter: { name: "Decided as well" }) { nodes {
        joinRequestPolicy { decider approveAfterSeconds } } } }`,
    );
    expect(data.inviteLinks.nodes).toEqual([
      { joinRequestPolicy: { decider: "AUTOMATIC", approveAfterSeconds: 3600 } },
    ]);
  });

  test("who decides requests follows what another one set while the form was opened", async () => {
    const { id, path } = await makeLink({ name: "Decided twice", createsJoinRequest: true });
    const decide = async (input: string) => {
      const { data } = await server.ask(
        `mutation { setJoinRequestPolicy(input: { inviteLinkId: "${id}", ${input} }) { __typename } }`,
      );
      expect(data.setJoinRequestPolicy.__typename).toBe("SetJoinRequestPolicySuccess");
    };
    await open({}, path);
    await button("Edit").click();
    await dialog().getByLabel("People decide").waitFor();
    await page.keyboard.press("Escape");
    await dialog().waitFor({ state: "detached" });
    await decide("decider: AUTOMATIC, approveAfterSeconds: 3600");
    const release = await holdRequests("LinkPolicy");
    await button("Edit").click();
    // What the cache has is shown first.
    await shows(() => dialog().getByLabel("People decide").isChecked()).toBe(true);
    release();
    await shows(() => dialog().getByLabel("The server approves").isChecked()).toBe(true);
    await dialog().getByLabel("Name").fill("Decided by the server");
    const sent: string[] = [];
    page.on("request", (request) => sent.push(request.postDataJSON()?.operationName));
    await button("Save", dialog()).click();
    await dialog().waitFor({ state: "detached" });
    expect(sent).toContain("UpdateLink");
    expect(sent).not.toContain("SetPolicy");
  });

  test("a form whose tags could not be loaded leaves the tags, and sends only what its user changed", async () => {
    const { data } = await server.ask(`{ tags(channelId: ${CHANNEL}, first: 2) { nodes { id name } } }`);
    const tags: { id: string; name: string }[] = data.tags.nodes;
    const link = await makeLink({ name: "Tagged", budget: "5", tagIds: tags.map(({ id }) => id) });
    await open({}, link.path);
    const isTags = (body: string | null) => body?.includes("query TagChoices") === true;
    await page.route("**/graphql", (route, request) =>
      isTags(request.postData()) ? route.fulfill({ status: 500, body: "" }) : route.fallback(),
    );
    await button("Edit").click();
    await dialog().getByLabel("Name").fill("Still tagged");
    await listens();
    // A colleague changes the budget meanwhile.
    const update = `mutation { updateInviteLink(input: { id: "${link.id}", budget: "200" }) { __typename } }`;
    expect((await server.ask(update)).data.updateInviteLink.__typename).toBe("UpdateInviteLinkSuccess");
    await shows(() => tile("budget")).toBe(dollars("200"));
    await button("Save", dialog()).click();
    await dialog().waitFor({ state: "detached" });
    const after = await server.ask(`{ inviteLink(id: "${link.id}") { name budget tags { id } } }`);
    const { name, budget, tags: kept } = after.data.inviteLink;
    expect({ name, budget }).toEqual({ name: "Still tagged", budget: "200.00" });
    expect(kept.map(({ id }: { id: string }) => id).sort()).toEqual(tags.map(({ id }) => id).sort());
    // The browser's own message about status 500.
    expect(problems.consoleMessages.splice(0).join()).toMatch(/500/);
  });

  test("an id that is none, an unknown one and a link of another channel have a clear page", async () => {
    const { id } = await makeLink({ name: "Elsewhere" });
    for (const path of [
      "/links/nonsense",
      pathOf(btoa("InviteLink:01991000-0000-7000-8000-0000000000ff")),
      pathOf(id, GROUP),
    ]) {
      await open({}, path);
      await page.getByRole("heading", { name: "This link is not here" }).waitFor();
    }
    await page.getByRole("link", { name: "Show the links" }).click();
    await page.getByRole("heading", { name: "Coffee & Code: the chat" }).waitFor();
  });

  test("an error of the server is shown as such, and Try again loads the link", async () => {
    const { path } = await makeLink({ name: "Late" });
    await open(ELSEWHERE, path);
    await page.route("**/graphql", (route, request) =>
      request.postDataJSON()?.operationName === "LinkPage"
        ? route.fulfill({
            json: { errors: [{ message: "Broken", extensions: { code: "INTERNAL_SERVER_ERROR" } }] },
          })
        : route.fallback(),
    );
    await signIn(server.token);
    await page.getByRole("alert").getByText("The link could not be loaded. Broken").waitFor();
    expect(await page.getByText("This link is not here").count()).toBe(0);
    await page.unroute("**/graphql");
    await button("Try again", page.getByRole("alert")).click();
    await page.getByRole("heading", { level: 1, name: "Late" }).waitFor();
    await page.getByRole("alert").waitFor({ state: "detached" });
  });

  test("the way back to the links has their filter and order", async () => {
    await makeLink({ name: "Back b" });
    await makeLink({ name: "Back a" });
    await open({}, "/?search=back&state=all&order=NAME+ASC");
    await shows(names).toEqual(["Back a", "Back b"]);
    await page.getByRole("link", { name: "Back b" }).click();
    await page.getByRole("heading", { level: 1, name: "Back b" }).waitFor();
    await page.reload();
    await page.locator(".back").click();
    await shows(names).toEqual(["Back a", "Back b"]);
    expect(new URL(page.url()).searchParams.get("order")).toBe("NAME ASC");
    await page.goBack();
    await page.getByRole("heading", { level: 1, name: "Back b" }).waitFor();
    await page.goBack();
    await shows(names).toEqual(["Back a", "Back b"]);
  });

  test("a viewer sees all of it, and nothing that changes the link", async () => {
    const { path } = await makeLink({ name: "Only to see" });
    const secret = await server.makeToken({ role: "VIEWER" });
    await open(ELSEWHERE, path);
    await signIn(secret);
    await button("Copy link").waitFor();
    await members().waitFor();
    for (const name of ["Edit", "Duplicate", "Revoke link"]) expect(await button(name).count()).toBe(0);
  });

  test.each([
    ["light", "en-US"],
    ["dark", "en-US"],
    ["light", "ru-RU"],
  ] as const)(
    "axe finds nothing wrong in the %s scheme in %s, and nothing is wider than the page",
    async (colorScheme, locale) => {
      const link = await busiest();
      await open({ colorScheme, locale, reducedMotion: "reduce" }, pathOf(link.id));
      await page.locator(".series-canvas canvas").waitFor();
      await shows(() => page.locator(".members tbody tr").count()).toBe(20);
      await shows(() => page.locator(".events li").count()).toBe(20);
      if (locale === "ru-RU")
        expect(await page.locator("main").innerText()).not.toMatch(/Joins|joined|link[.]|event[.]|path[.]/);
      for (const width of [1440, 1280, 1024, 720, 390]) {
        await page.setViewportSize({ width, height: 900 });
        expect(await violationsOf(page), String(width)).toEqual([]);
        expect(await overflow(), String(width)).toBe(0);
      }
    },
  );
});

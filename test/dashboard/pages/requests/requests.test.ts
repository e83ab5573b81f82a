import { expect, test } from "vitest";
import { violationsOf } from "../../../support/accessibility.js";
import { describeInChromium } from "../../../support/chromium.js";
import {
  button,
  dialog,
  ELSEWHERE,
  failRequests,
  holdRequests,
  open,
  overflow,
  page,
  server,
  shows,
  signIn,
  useDashboard,
} from "../../../support/dashboardPage.js";
import { GROUP } from "../../../support/server.js";

const PAGE = `/requests?channel=${GROUP}`;
const person = (id: number) => page.locator(".things > li").filter({ hasText: `User ${id}` });
const countShown = () => page.getByTestId("request-count").innerText();

/** Makes a link that asks for approval. @returns its address */
async function makeGate(name: string): Promise<string> {
  const { data } = await server.ask(
    `mutation ($input: CreateInviteLinkInput!) {
      createInviteLink(input: $input) { ... on CreateInviteLinkSuccess { inviteLink { url } } } }`,
    { input: { channelId: GROUP, name, createsJoinRequest: true } },
  );
  return data.createInviteLink.inviteLink.url;
}

function ask(url: string, ids: readonly number[]): void {
  for (const id of ids)
    expect(server.sandbox.control.join(GROUP, { id, is_bot: false, first_name: "Ada" }, { url })).toBe(
      "requested",
    );
}

async function pendingOfServer(): Promise<number> {
  const { data } = await server.ask(
    `{ joinRequests(channelId: ${GROUP}, filter: { states: [PENDING] }, first: 0) { totalCount } }`,
  );
  return data.joinRequests.totalCount;
}

const isMember = (id: number): boolean =>
  server.sandbox.control
    .members(GROUP)
    .some(({ user, status }) => user.id === id && status.status === "member");

const range = (from: number, count: number): number[] =>
  Array.from({ length: count }, (_, index) => from + index);

describeInChromium("the page of requests", () => {
  useDashboard();

  test("requests arrive by themselves, one is approved, several are declined, and a failure stands beside its person", async () => {
    const url = await makeGate("Gate");
    const before = await pendingOfServer();
    await open({}, PAGE);
    await page.getByTestId("request-count").waitFor();
    const [first = 0, second = 0, third = 0, withdrawn = 0] = range(6_000_001, 4);
    ask(url, [first, second, third, withdrawn]);
    await person(withdrawn).waitFor();
    await shows(countShown).toBe(`${before + 4} requests`);
    await page.getByRole("link", { name: `Requests ${before + 4}` }).waitFor();
    await person(first).getByText("Gate").waitFor();

    await button(`Approve User ${first}`).click();
    await page.getByText("1 request was approved.").waitFor();
    await shows(async () => isMember(first)).toBe(true);
    // The button that had the focus is gone.
    await button(`Approve User ${first}`).waitFor({ state: "detached" });
    await shows(() => page.evaluate("document.activeElement.id")).toBe("main");

    for (const id of [second, third]) await page.getByRole("checkbox", { name: `Select User ${id}` }).check();
    await button("Decline", page.getByRole("region", { name: "Selected requests" })).click();
    await dialog().getByText("Each of them can ask again.").waitFor();
    await button("Decline", dialog()).click();
    await page.getByText("2 requests were declined.").waitFor();
    await shows(async () =>
      server.sandbox.control.joinRequests(GROUP).some(({ user }) => user.id === second),
    ).toBe(false);

    // Nobody tells the server that another administrator has declined.
    server.sandbox.control.declineJoinRequest(GROUP, withdrawn);
    await button(`Approve User ${withdrawn}`).click();
    await page.getByText("1 request could not be decided.").waitFor();
    await person(withdrawn).getByText("Telegram does not know it any more").waitFor();

    await page.getByRole("combobox", { name: "State" }).selectOption("Declined");
    await person(first).waitFor({ state: "detached" });
    await person(second).getByText("Declined").waitFor();
    expect(page.url()).toContain("state=declined");
    await page.goBack();
    await shows(() => page.getByRole("combobox", { name: "State" }).inputValue()).toBe("PENDING");
  });

  test("all who wait by a link are selected beyond the rows shown, and approved with the progress in sight", async () => {
    const url = await makeGate("Crowd");
    const people = range(6_100_001, 55);
    ask(url, people);
    await open({}, PAGE);
    await page.getByText(/^\d+ links? by which people wait$/).click();
    await button("Show only these: Crowd").click();
    await shows(countShown).toBe("55 requests");
    expect(await page.evaluate("document.activeElement.id")).toBe("main");
    await button("Select all 55 requests").click();
    const bar = page.getByRole("region", { name: "Selected requests" });
    await bar.getByText("55 selected").waitFor();
    const release = server.sandbox.control.hold({ method: "approveChatJoinRequest" });
    await button("Approve", bar).click();
    await bar.getByRole("progressbar", { name: "0 of 55" }).waitFor();
    // The button that had the focus is gone.
    await shows(() => page.evaluate("document.activeElement.id")).toBe("main");
    release();
    await page.getByText("55 requests were approved.").waitFor();
    expect(people.every(isMember)).toBe(true);
    await shows(countShown).toBe("0 requests");
    await page.getByText("Nobody waits.").waitFor();
  });

  test("new requests arrive although one that was selected was decided elsewhere, and its failure leaves with its list", async () => {
    const url = await makeGate("Elsewhere");
    const [withdrawn = 0, next = 0] = range(6_600_001, 2);
    ask(url, [withdrawn]);
    await open({}, PAGE);
    await page.getByRole("checkbox", { name: `Select User ${withdrawn}` }).check();
    server.sandbox.control.declineJoinRequest(GROUP, withdrawn);
    const bar = page.getByRole("region", { name: "Selected requests" });
    await button("Approve", bar).click();
    await bar.getByText("1 request could not be decided.").waitFor();
    ask(url, [next]);
    await person(next).waitFor();
    // The list is loaded again without the request. Why it could not be decided stays in sight.
    await person(withdrawn).getByText("Telegram does not know it any more").waitFor();
    await page.getByRole("combobox", { name: "State" }).selectOption("All");
    await bar.waitFor({ state: "hidden" });
  });

  test("all of a list are not selected once another list is shown", async () => {
    const url = await makeGate("Left");
    ask(url, range(6_700_001, 55));
    await open({}, PAGE);
    await page.getByText(/^\d+ links? by which people wait$/).click();
    await button("Show only these: Left").click();
    await shows(countShown).toBe("55 requests");
    const release = await holdRequests("JoinRequests");
    await button("Select all 55 requests").click();
    await button("Show requests by all links").click();
    release();
    await button("Show requests by all links").waitFor({ state: "detached" });
    expect(await page.evaluate("document.activeElement.id")).toBe("main");
    // The list would stay as it is while something in it is selected.
    ask(url, [6_700_056]);
    await person(6_700_056).waitFor();
    expect(await page.getByRole("checkbox", { checked: true }).count()).toBe(0);
  });

  test("what is selected by hand while all are loaded stays as it is", async () => {
    const url = await makeGate("By hand");
    const [first = 0, ...others] = range(6_800_001, 55);
    ask(url, [...others, first]);
    await open({}, PAGE);
    await page.getByText(/^\d+ links? by which people wait$/).click();
    await button("Show only these: By hand").click();
    await shows(countShown).toBe("55 requests");
    const bar = page.getByRole("region", { name: "Selected requests" });
    const box = page.getByRole("checkbox", { name: `Select User ${first}` });
    const release = await holdRequests("JoinRequests");
    await box.check();
    await button("Select all 55 requests").click();
    await button("Clear selection", bar).click();
    const isLoading = button("Select all 55 requests").and(page.locator("[aria-disabled=true]"));
    await isLoading.waitFor();
    release();
    await isLoading.waitFor({ state: "detached" });
    await box.check();
    await bar.getByText("1 selected").waitFor();
  });

  test("a policy whose answer comes late closes no other dialog", async () => {
    for (const [index, name] of ["Late", "Next"].entries()) ask(await makeGate(name), [6_900_001 + index]);
    await open({}, PAGE);
    await page.getByText(/^\d+ links? by which people wait$/).click();
    const release = await holdRequests("SetPolicy");
    const automatic = () => dialog().getByRole("radio", { name: "The server approves" });
    await button("Who decides the requests by Late").click();
    await automatic().check();
    await dialog().getByLabel("How long after the request").selectOption("6 hours");
    await button("Save", dialog()).click();
    await button("Cancel", dialog()).click();
    await button("Discard", dialog()).click();
    await button("Who decides the requests by Next").click();
    await automatic().check();
    release();
    await page.getByText("“Late” was changed.").waitFor();
    expect(await automatic().isChecked()).toBe(true);
  });

  test("the server can decide by itself: set on this page, and in the form of a link", async () => {
    const url = await makeGate("Automatic");
    const [early = 0, late = 0] = range(6_200_001, 2);
    ask(url, [early]);
    await open({}, PAGE);
    await page.getByText(/^\d+ links? by which people wait$/).click();
    await button("Who decides the requests by Automatic").click();
    expect(await button("Save", dialog()).isDisabled()).toBe(true);
    await dialog().getByRole("radio", { name: "The server approves" }).check();
    await dialog().getByRole("radio", { name: "People decide" }).check();
    await shows(() => button("Save", dialog()).isDisabled()).toBe(true);
    await dialog().getByRole("radio", { name: "The server approves" }).check();
    await button("Save", dialog()).click();
    await page.getByText("“Automatic” was changed.").waitFor();
    await person(early).waitFor({ state: "detached" });
    await shows(async () => isMember(early)).toBe(true);

    await page.getByRole("link", { name: "Links" }).click();
    await button("Edit Automatic").click();
    await dialog().getByRole("radio", { name: "The server approves" }).waitFor();
    await dialog().getByLabel("How long after the request").selectOption("1 hour");
    await button("Save", dialog()).click();
    await dialog().waitFor({ state: "detached" });
    ask(url, [late]);
    await page.getByRole("link", { name: /^Requests/ }).click();
    await person(late).waitFor();
    await page.getByText(/^\d+ links? by which people wait$/).click();
    await page.getByText("The server approves after 1 hour").waitFor();
    expect(isMember(late)).toBe(false);
  });

  test("rows do not stay under a filter that could not be loaded", async () => {
    const [waiting = 0] = range(6_400_001, 1);
    ask(await makeGate("Filtered"), [waiting]);
    await open({}, PAGE);
    await person(waiting).waitFor();
    const restore = await failRequests("JoinRequests");
    await page.getByRole("combobox", { name: "State" }).selectOption("All");
    await button("Try again").waitFor();
    await person(waiting).waitFor({ state: "detached" });
    restore();
    await button("Try again").click();
    await person(waiting).waitFor();
  });

  test("the links by which people wait are loaded again after a failure, and more are shown on demand", async () => {
    const count = async (): Promise<number> => {
      const { data } = await server.ask(
        `{ inviteLinks(channelId: ${GROUP}, filter: { hasPendingJoinRequests: true }, first: 0) { totalCount } }`,
      );
      return data.inviteLinks.totalCount;
    };
    const totalCount = (await count()) + 51;
    for (const id of range(6_500_001, 51)) ask(await makeGate(`Gate ${id}`), [id]);
    await shows(count).toBe(totalCount);
    await open({}, PAGE);
    const restore = await failRequests("WaitingLinks");
    await page.reload();
    await button("Try again").waitFor();
    restore();
    await button("Try again").click();
    const waiting = page.locator(".waiting-links");
    await waiting.getByText(`${totalCount} links by which people wait`).click();
    await shows(() => waiting.locator("li").count()).toBe(50);
    await button("Show more", waiting).click();
    await shows(() => waiting.locator("li").count()).toBe(totalCount);
  });

  test("a viewer sees the requests and can decide nothing; the page is accessible in both schemes and in Russian", async () => {
    ask(await makeGate("Watched"), [6_300_001]);
    for (const [locale, colorScheme, width] of [
      ["en-US", "dark", 1280],
      ["ru-RU", "light", 390],
    ] as const) {
      await open({ locale, colorScheme, viewport: { width, height: 844 } }, PAGE);
      await page.locator(".request-check").first().check();
      await page.locator(".decision-line").waitFor();
      await page.locator(".waiting-links summary").click();
      expect(await violationsOf(page), locale).toEqual([]);
      expect(await overflow()).toBe(0);
      if (locale === "ru-RU")
        expect(await page.locator("main").innerText()).not.toMatch(/requests\.|Approve/);
      await page.context().close();
    }
    await open(ELSEWHERE, PAGE);
    await signIn(await server.makeToken({ role: "VIEWER" }));
    await person(6_300_001).waitFor();
    expect(await page.locator("main").getByRole("checkbox").count()).toBe(0);
    expect(await page.getByRole("button", { name: /Approve|Decline|Who decides/ }).count()).toBe(0);
  });
});

import { expect, test } from "vitest";
import { describeInChromium } from "../../../support/chromium.js";
import {
  ACTIVE,
  button,
  createLink,
  dollars,
  listens,
  nameList,
  names,
  open,
  page,
  row,
  server,
  shows,
  showsSummary,
  useDashboard,
} from "../../../support/dashboardPage.js";
import { CHANNEL } from "../../../support/server.js";

const person = (id: number) => ({ id, is_bot: false, first_name: `Person ${id}` });

async function linkOf(name: string) {
  const { data } = await server.ask(
    `query ($filter: InviteLinkFilter) {
      inviteLinks(channelId: ${CHANNEL}, filter: $filter) {
        nodes { id url stats { joinCount activeCount costPerJoin } } } }`,
    { filter: { name } },
  );
  return data.inviteLinks.nodes[0];
}

async function totalsOfServer() {
  const { data } = await server.ask(
    `query ($filter: InviteLinkFilter) {
      inviteLinks(channelId: ${CHANNEL}, filter: $filter) {
        totals { joinCount activeCount budget costPerActiveMember } } }`,
    { filter: ACTIVE },
  );
  return data.inviteLinks.totals;
}

async function showsTotals(): Promise<void> {
  const { joinCount, activeCount, budget, costPerActiveMember } = await totalsOfServer();
  const english = new Intl.NumberFormat("en-US");
  await shows(() =>
    Promise.all(["joins", "members", "budget", "cost"].map((id) => page.getByTestId(id).innerText())),
  ).toEqual([
    english.format(joinCount),
    english.format(activeCount),
    dollars(budget),
    dollars(costPerActiveMember),
  ]);
}

const numbers = (name: string): Promise<string[]> =>
  row(name).locator(".join_count, .active_count, .cost").allInnerTexts();

describeInChromium("the numbers of members in the table of links", () => {
  useDashboard();

  test("the first member who comes by a link moves its row and the sums, and only the sums are fetched", async () => {
    await open({ viewport: { width: 1440, height: 900 } });
    await showsSummary();
    await createLink("First member", "12.50");
    const { url } = await linkOf("First member");
    // The lists are loaded again after a creation. What is asked for after the reload is because of the member.
    await page.reload();
    await shows(() => numbers("First member")).toEqual(["0", "0", "–"]);
    await showsTotals();
    await shows(() => page.locator(".bars li").count()).toBeGreaterThan(0);
    await listens();
    const asked: string[] = [];
    page.on("request", (request) => {
      const name = request.postDataJSON()?.operationName;
      // The number of pending requests is asked for from time to time.
      if (name !== undefined && name !== "PendingRequests") asked.push(name);
    });
    expect(server.sandbox.control.join(CHANNEL, person(8_000_001), { url })).toBe("joined");
    await shows(() => numbers("First member")).toEqual(["1", "1", "$12.50"]);
    await showsTotals();
    expect(asked).toEqual(["Sums"]);
    server.sandbox.control.join(CHANNEL, person(8_000_002), { url });
    server.sandbox.control.leave(CHANNEL, 8_000_001);
    await shows(() => numbers("First member")).toEqual(["2", "1", "$6.25"]);
    await showsTotals();
  });

  test.each([
    ["Joins", "JOIN_COUNT"],
    ["Active", "ACTIVE_COUNT"],
  ])("the table is sorted by the column %s, the largest first", async (title, field) => {
    await open();
    await showsSummary();
    await button(title, page.getByRole("columnheader")).click();
    const { data } = await server.ask(
      `query ($filter: InviteLinkFilter) {
        inviteLinks(channelId: ${CHANNEL}, first: 50, filter: $filter, orderBy: [{ field: ${field}, direction: DESC }]) {
          nodes { name } } }`,
      { filter: ACTIVE },
    );
    await shows(names).toEqual(nameList(data.inviteLinks));
    await page.reload();
    await shows(names).toEqual(nameList(data.inviteLinks));
  });
});

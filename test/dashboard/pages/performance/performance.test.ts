import { beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { violationsOf } from "../../../support/accessibility.js";
import { describeInChromium } from "../../../support/chromium.js";
import {
  ACTIVE,
  button,
  count,
  dollars,
  ELSEWHERE,
  filters,
  linksOfServer,
  listens,
  open,
  overflow,
  page,
  rows,
  server,
  shows,
  signIn,
  tagFilter,
  useDashboard,
} from "../../../support/dashboardPage.js";
import { CHANNEL, PLATFORM, YOUTUBE } from "../../../support/server.js";

interface Group {
  readonly linkCount: number;
  readonly tag: { readonly name: string } | null;
  readonly totals: {
    readonly joinCount: number;
    readonly activeCount: number;
    readonly budget: string;
    readonly costPerActiveMember: string | null;
    readonly retention: readonly { readonly days: number; readonly rate: number | null }[];
  };
}

async function groupsOfServer(type: string, filter: object): Promise<Group[]> {
  const { data } = await server.ask(
    `query ($filter: InviteLinkFilter, $type: ID) {
      inviteLinks(channelId: ${CHANNEL}, filter: $filter, first: 0) {
        groups(by: TAG, tagTypeId: $type) {
          linkCount tag { name }
          totals { joinCount activeCount budget costPerActiveMember retention { days rate } } } } }`,
    { filter, type },
  );
  return data.inviteLinks.groups;
}

async function idOfType(name: string): Promise<string> {
  const { data } = await server.ask("{ tagTypes { id name } }");
  return data.tagTypes.find((type: { name: string }) => type.name === name).id;
}

/** Stops the server's clock: how many stayed is counted anew each quarter of an hour. @returns its time */
function stopClock(): Date {
  vi.useFakeTimers({ toFake: ["Date"] });
  onTestFinished(() => void vi.useRealTimers());
  return new Date();
}

/** The month before that of an instant, as the sample's channel counts it: in UTC. */
function lastMonth(now: Date): { createdFrom: string; createdTo: string } {
  const first = (month: number) => new Date(Date.UTC(now.getUTCFullYear(), month)).toISOString();
  return { createdFrom: first(now.getUTCMonth() - 1), createdTo: first(now.getUTCMonth()) };
}

const groupRows = (): Promise<string[][]> =>
  page
    .locator("table.groups tbody tr")
    .evaluateAll((all) => all.map((row) => [...row.children].map((cell) => cell.textContent ?? "")));

const cost = ({ totals }: Group): number =>
  totals.costPerActiveMember === null ? Number.POSITIVE_INFINITY : Number(totals.costPerActiveMember);
const english = new Intl.NumberFormat("en-US");
const percent = new Intl.NumberFormat("en-US", { style: "percent" });
const written = ({ tag, linkCount, totals }: Group, type: string): string[] => {
  const rate = totals.retention.find(({ days }) => days === 7)?.rate ?? null;
  return [
    tag?.name ?? `No ${type}`,
    english.format(linkCount),
    english.format(totals.joinCount),
    english.format(totals.activeCount),
    dollars(totals.budget),
    totals.costPerActiveMember === null ? "–" : dollars(totals.costPerActiveMember),
    rate === null ? "–" : percent.format(rate),
  ];
};

describeInChromium("the page of performance", () => {
  useDashboard();
  beforeAll(async () => {
    // A budget that nobody came for, so that one group has no cost.
    const { data } = await server.ask(
      `mutation ($tag: CreateTagInput!) { createTag(input: $tag) { ... on CreateTagSuccess { tag { id } } } }`,
      { tag: { channelId: CHANNEL, tagTypeId: PLATFORM, name: "Nobody yet", color: "#8855ff" } },
    );
    await server.ask(
      "mutation ($input: CreateInviteLinkInput!) { createInviteLink(input: $input) { __typename } }",
      { input: { channelId: CHANNEL, name: "New", budget: "10", tagIds: [data.createTag.tag.id] } },
    );
  });

  test("last month's cheapest buyer is found in four clicks from the first page", async () => {
    const now = stopClock();
    await open({}, "/", now);
    let clicks = 0;
    const click = async (what: { click(): Promise<void> }) => {
      clicks += 1;
      await what.click();
    };
    await click(page.getByRole("link", { name: "Performance" }));
    await click(filters().getByText("Last month", { exact: true }));
    await click(page.getByRole("radiogroup", { name: "Group by" }).getByText("Buyer", { exact: true }));
    await click(button("Cost per active"));
    expect(clicks).toBe(4);
    const filter = { ...ACTIVE, ...lastMonth(now) };
    const expected = (await groupsOfServer(await idOfType("Buyer"), filter)).sort(
      (one, other) => cost(one) - cost(other),
    );
    expect(expected.length).toBeGreaterThan(1);
    await shows(groupRows).toEqual(expected.map((group) => written(group, "Buyer")));
    expect(await page.getByRole("columnheader", { name: "Cost per active" }).getAttribute("aria-sort")).toBe(
      "ascending",
    );
    // The address has all of it, and a group leads to its links.
    await page.reload();
    await shows(groupRows).toEqual(expected.map((group) => written(group, "Buyer")));
    await page.locator("table.groups tbody a").first().click();
    await shows(() => rows().count()).toBe(expected[0]?.linkCount);
    await page.getByText("Created: last month").waitFor();
  });

  test("groups without a cost come last in both directions, and all numbers are the server's", async () => {
    stopClock();
    await open({}, "/performance");
    await page.getByRole("radiogroup", { name: "Group by" }).getByText("Platform", { exact: true }).click();
    const groups = await groupsOfServer(PLATFORM, ACTIVE);
    expect(groups.some((group) => group.totals.costPerActiveMember === null)).toBe(true);
    for (const direction of [1, -1]) {
      await button(/^Cost per active/).click();
      const known = groups.filter((group) => group.totals.costPerActiveMember !== null);
      const unknown = groups.filter((group) => group.totals.costPerActiveMember === null);
      const expected = [...known.sort((one, other) => direction * (cost(one) - cost(other))), ...unknown];
      await shows(groupRows).toEqual(expected.map((group) => written(group, "Platform")));
    }
    for (const time of ["Day", "Week", "Month"]) {
      await page.getByRole("radiogroup", { name: "Group by" }).getByText(time, { exact: true }).click();
      const { data } = await server.ask(
        `query ($filter: InviteLinkFilter) { inviteLinks(channelId: ${CHANNEL}, filter: $filter, first: 0) {
          groups(by: CREATED_${time.toUpperCase()}) { linkCount } } }`,
        { filter: ACTIVE },
      );
      await shows(async () => (await groupRows()).map((row) => Number(row[1])).sort()).toEqual(
        data.inviteLinks.groups.map((group: Group) => group.linkCount).sort(),
      );
    }
  });

  test("the chart follows the filter and has its numbers as a table, and the filter stays on the way back", async () => {
    const now = new Date();
    await open({}, "/performance", now);
    await tagFilter("YouTube").click();
    await page.getByRole("radiogroup", { name: "Period of the chart" }).getByText("7 days").click();
    await page.getByText("Show as table").click();
    const filter = { ...ACTIVE, tagGroups: [{ tagTypeId: PLATFORM, tagIds: [YOUTUBE] }] };
    const today = new Date(now.toISOString().slice(0, 10));
    const day = (count: number) => new Date(today.getTime() + count * 86_400_000).toISOString();
    const { data } = await server.ask(
      `query ($filter: InviteLinkFilter, $from: DateTime!, $to: DateTime!) {
        inviteLinks(channelId: ${CHANNEL}, filter: $filter, first: 0) {
          series(from: $from, to: $to) { joinCount leaveCount activeCount } } }`,
      { filter, from: day(-6), to: day(1) },
    );
    const table = page.locator(".series-table tbody tr");
    await shows(() =>
      table.evaluateAll((all) =>
        all.map((row) => [...row.querySelectorAll("td")].map((cell) => Number(cell.textContent))),
      ),
    ).toEqual(
      data.inviteLinks.series.map((one: { joinCount: number; leaveCount: number; activeCount: number }) => [
        one.joinCount,
        one.leaveCount,
        one.activeCount,
      ]),
    );
    const sum = (key: "joinCount" | "leaveCount") =>
      data.inviteLinks.series.reduce((total: number, one: Record<typeof key, number>) => total + one[key], 0);
    await page.getByRole("img", { name: `${sum("joinCount")} joined, ${sum("leaveCount")} left` }).waitFor();
    await page.getByRole("link", { name: "Links", exact: true }).click();
    await shows(() => tagFilter("YouTube").getByRole("checkbox").isChecked()).toBe(true);
  });

  test("a part that could not be loaded says so, and Try again loads it", async () => {
    const failing = new Set(["Sums", "Joins", "Groups"]);
    await open(ELSEWHERE, "/performance");
    await page.route("**/graphql", (route, request) =>
      failing.has(request.postDataJSON()?.operationName)
        ? route.fulfill({ json: { errors: [{ message: "Broken" }] } })
        : route.fallback(),
    );
    await signIn(server.token);
    const alert = (title: string) => page.getByRole("alert").filter({ hasText: `${title} Broken` });
    for (const [name, title] of [
      ["Sums", "The sums could not be loaded."],
      ["Joins", "The chart could not be loaded."],
      ["Groups", "The groups could not be loaded."],
    ] as const) {
      await alert(title).waitFor();
      failing.delete(name);
      await button("Try again", alert(title)).click();
      await alert(title).waitFor({ state: "detached" });
    }
    await page.locator(".series-canvas canvas").waitFor();
    await shows(async () => (await groupRows()).length).toBeGreaterThan(1);
    await shows(() => page.getByTestId("joins").innerText()).toMatch(/\d/);
  });

  test("the search has its key, and a tag that does not exist any more is left out of the address", async () => {
    const dead = btoa("Tag:01991000-0000-7000-8000-0000000000ff");
    const query = new URLSearchParams({ [`tags.${btoa(`TagType:${PLATFORM}`)}`]: dead, by: "month" });
    await open({}, `/performance?${query}`);
    await page.getByText("Parts of the address that do not exist any more were left out.").waitFor();
    await shows(async () => (await groupRows()).length).toBeGreaterThan(1);
    await page.getByRole("alert").first().waitFor({ state: "detached" });
    expect(new URL(page.url()).search).toBe("?by=month");
    await page.keyboard.press("/");
    await page.keyboard.type("barista");
    await page.getByText("Matching links").waitFor();
    const { totalCount } = await linksOfServer({ ...ACTIVE, search: "barista" });
    await shows(count).toBe(String(totalCount));
    await shows(async () => (await groupRows()).reduce((sum, row) => sum + Number(row[1]), 0)).toBe(
      totalCount,
    );
  });

  test("the chart is drawn anew in the colors of the other scheme and at another width", async () => {
    await open({ colorScheme: "light", viewport: { width: 1280, height: 900 } }, "/performance");
    const canvas = page.locator(".series-canvas canvas");
    await canvas.waitFor();
    // The accent of each scheme, which the bars have.
    const hasColor = (color: readonly number[]) =>
      canvas.evaluate((element, [red, green, blue]) => {
        const { width, height } = element as HTMLCanvasElement;
        const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
        copy?.drawImage(element as HTMLCanvasElement, 0, 0);
        const pixels = copy?.getImageData(0, 0, width, height).data ?? [];
        for (let at = 0; at < pixels.length; at += 4)
          if (pixels[at] === red && pixels[at + 1] === green && pixels[at + 2] === blue) return true;
        return false;
      }, color);
    await shows(() => hasColor([0x4f, 0x46, 0xe5])).toBe(true);
    await page.emulateMedia({ colorScheme: "dark" });
    await shows(() => hasColor([0x8b, 0x8c, 0xff])).toBe(true);
    await page.setViewportSize({ width: 390, height: 800 });
    await shows(async () => (await canvas.boundingBox())?.width).toBeLessThan(390);
    expect(await overflow()).toBe(0);
  });

  test("a member who comes moves the sums, the groups and the chart without a reload", async () => {
    // The member comes on the last or the last but one day of the chart, even if midnight is near.
    await open({}, "/performance", new Date(Date.now() + 3_600_000));
    await page.getByTestId("joins").waitFor();
    await page.getByText("Show as table").click();
    await page.getByRole("radiogroup", { name: "Group by" }).getByText("Platform", { exact: true }).click();
    const newest = async () => {
      const days = await page.locator(".series-table tbody tr td:nth-of-type(1)").allInnerTexts();
      return days.slice(-2).reduce((sum, joins) => sum + Number(joins), 0);
    };
    await shows(async () => (await groupRows()).length).toBeGreaterThan(1);
    await shows(() => page.locator(".series-table tbody tr").count()).toBe(30);
    const before = await newest();
    const { data } = await server.ask(
      `{ inviteLinks(channelId: ${CHANNEL}, filter: { name: "New" }) { nodes { name url } } }`,
    );
    const { url } = data.inviteLinks.nodes.find(({ name }: { name: string }) => name === "New");
    await listens();
    server.sandbox.control.join(CHANNEL, { id: 8_100_001, is_bot: false, first_name: "One" }, { url });
    await shows(async () => (await groupRows()).find(([name]) => name === "Nobody yet")?.slice(2, 6)).toEqual(
      ["1", "1", "$10.00", "$10.00"],
    );
    await shows(newest).toBe(before + 1);
  });

  test.each(["light", "dark"] as const)(
    "axe finds nothing wrong in the %s scheme, and nothing is wider than the page",
    async (colorScheme) => {
      await open({ colorScheme, reducedMotion: "reduce" }, "/performance");
      await page.locator(".series-canvas canvas").waitFor();
      await page.getByText("Show as table").click();
      await shows(async () => (await groupRows()).length).toBeGreaterThan(1);
      for (const width of [1440, 1280, 1024, 720, 390]) {
        await page.setViewportSize({ width, height: 900 });
        expect(await violationsOf(page), String(width)).toEqual([]);
        expect(await overflow(), String(width)).toBe(0);
      }
    },
  );

  test("in a Russian browser the page is Russian", async () => {
    await open({ locale: "ru-RU", viewport: { width: 390, height: 844 } }, "/performance");
    await page.getByRole("heading", { name: "Результаты" }).waitFor();
    await page.locator(".series-canvas canvas").waitFor();
    expect(await page.locator("main").innerText()).not.toMatch(/Joins|Budget|Cost|performance[.]|series[.]/);
    expect(await violationsOf(page)).toEqual([]);
    expect(await overflow()).toBe(0);
  });
});

import { expect, test } from "vitest";
import { describeInChromium } from "../../support/chromium.js";
import {
  button,
  dialog,
  ELSEWHERE,
  isFocused,
  linksOfServer,
  names,
  open,
  page,
  problems,
  row,
  server,
  shows,
  showsSummary,
  signIn,
  useDashboard,
} from "../../support/dashboardPage.js";
import { CHANNEL } from "../../support/server.js";

async function revoke(secretsOf: string): Promise<void> {
  const { data } = await server.ask("{ apiTokens { id name revokedAt } }");
  for (const { id, name, revokedAt } of data.apiTokens)
    if (name === secretsOf && revokedAt === null)
      await server.ask(`mutation { revokeApiToken(input: { id: "${id}" }) { __typename } }`);
}

describeInChromium("the session", () => {
  useDashboard();

  test("a token that is revoked in the middle of a form is asked for again, and the form is kept", async () => {
    await open(ELSEWHERE);
    await signIn(await server.makeToken({ role: "EDITOR" }));
    await showsSummary();
    await button("Create link").click();
    await dialog().getByLabel("Name").fill("In the middle");
    await dialog().getByLabel("Budget, USD").fill("12");
    await revoke("Test EDITOR");
    // The page may have learned of it by itself, and its question then covers the form.
    await button("Create link", dialog()).evaluate((element: HTMLElement) => element.click());
    const again = page.getByRole("dialog", { name: "Sign in again" });
    await shows(() => isFocused(again.getByLabel("API token"))).toBe(true);
    // What is on the page would be lost with the question.
    for (let times = 0; times < 3; times += 1) await page.keyboard.press("Escape");
    await again.waitFor();
    await signIn("wrong");
    await again.getByText("The server does not know this token.").waitFor();
    // The subscriptions go on later than the queries.
    const held: (() => Promise<void>)[] = [];
    await page.route("**/graphql", async (route, request) => {
      if (request.headers()["accept"]?.includes("text/event-stream")) held.push(() => route.continue());
      else await route.continue();
    });
    await signIn(await server.makeToken({ role: "EDITOR" }));
    await again.waitFor({ state: "detached" });
    expect(await dialog().getByLabel("Name").inputValue()).toBe("In the middle");
    expect(await page.evaluate("document.querySelector('dialog').contains(document.activeElement)")).toBe(
      true,
    );
    await button("Try again", dialog()).click();
    await dialog().waitFor({ state: "detached" });
    await shows(async () => (await names())[0]).toBe("In the middle");

    // Numbers move again by themselves, also those that moved before the subscriptions went on.
    const [{ url }] = (await linksOfServer()).nodes;
    const somebody = { id: 8_200_001, is_bot: false, first_name: "Somebody" };
    expect(server.sandbox.control.join(CHANNEL, somebody, { url })).toBe("joined");
    const joins = async () =>
      (await server.ask(`{ inviteLinks(channelId: ${CHANNEL}, first: 1) { nodes { stats { joinCount } } } }`))
        .data.inviteLinks.nodes[0].stats.joinCount;
    await shows(joins).toBe(1);
    await shows(async () => held.length).toBeGreaterThan(0);
    for (const go of held.splice(0)) await go();
    await page.unroute("**/graphql");
    await shows(() => row("In the middle").locator("td.join_count").innerText()).toBe("1");
    // The browser's own messages about status 401.
    for (const message of problems.consoleMessages.splice(0)) expect(message).toMatch(/401/);
  });

  test("signing in in one tab signs in all tabs, and so does signing out", async () => {
    const first = await open(ELSEWHERE);
    await page.getByLabel("API token").waitFor();
    const second = await first.context().newPage();
    await second.goto(server.origin);
    await second.getByLabel("API token").waitFor();
    await signIn(server.token);
    await showsSummary();
    await second.getByTestId("count").waitFor();
    const third = await first.context().newPage();
    await third.goto(server.origin);
    await third.getByTestId("count").waitFor();
    await third.getByRole("button", { name: "Sign out" }).click();
    await first.getByLabel("API token").waitFor();
    await second.getByLabel("API token").waitFor();
    await second.reload();
    await second.getByLabel("API token").waitFor();
  });
});

import { expect, test } from "vitest";
import { describeInChromium } from "../../support/chromium.js";
import { open, page, server, useDashboard } from "../../support/dashboardPage.js";
import { CHANNEL, PLATFORM } from "../../support/server.js";

const IMAGE = "<img src=x onerror=alert(1)>";
const SCRIPT = "<script>alert(1)</script>";

describeInChromium("the dashboard and texts of others", () => {
  useDashboard();

  test("a link and a tag whose names are HTML are shown as texts", async () => {
    const { data } = await server.ask(`mutation {
      createTag(input: { channelId: ${CHANNEL}, tagTypeId: "${PLATFORM}", name: "${SCRIPT}", color: "#000000" }) {
        ... on CreateTagSuccess { tag { id } } } }`);
    await server.ask(`mutation {
      createInviteLink(input: { channelId: ${CHANNEL}, name: "${IMAGE}", tagIds: ["${data.createTag.tag.id}"] }) {
        __typename } }`);
    const expectTexts = async () => {
      for (const text of [IMAGE, SCRIPT])
        await page.getByText(text).locator("visible=true").first().waitFor();
      expect(await page.locator("img[src=x], main script").count()).toBe(0);
    };
    await open();
    await expectTexts();
    await page.getByRole("link", { name: IMAGE }).click();
    await page.getByRole("heading", { name: IMAGE }).waitFor();
    await expectTexts();
  });
});

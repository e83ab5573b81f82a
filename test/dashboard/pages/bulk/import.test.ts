import { expect, test } from "vitest";
import { violationsOf } from "../../../support/accessibility.js";
import { describeInChromium } from "../../../support/chromium.js";
import {
  button,
  linksOfServer,
  open,
  overflow,
  page,
  problems,
  server,
  shows,
  useDashboard,
} from "../../../support/dashboardPage.js";

const section = () => page.getByRole("region", { name: "Import links from a file" });
const file = (text: string, name = "ads.csv") => ({ name, mimeType: "text/csv", buffer: Buffer.from(text) });
const counts = () => section().locator(".tile").allInnerTexts();

describeInChromium("importing links from a file", () => {
  useDashboard();

  test("columns are mapped, everything is checked first, and refused rows are named with the reason", async () => {
    await open({}, "/bulk");
    await section()
      .getByLabel("Drop a file here, or choose one")
      .setInputFiles(
        file(
          'sep=;\r\nLink;name;"Cost; total";Platform\r\nt.me/+ImportedOne12345;"One; first";1500,50;VK\r\nt.me/+ImportedTwo12345;Two;much;VK\r\nt.me/+ImportedThree123;Three;3;VK | YouTube\r\n',
        ),
      );
    expect(await section().getByLabel("name", { exact: true }).inputValue()).toBe("name");
    await section().getByText("Choose for each column what it contains").waitFor();
    expect(await button("Check the file").isDisabled()).toBe(true);
    await section().getByLabel("Link", { exact: true }).selectOption("Address");
    await section().getByLabel("Cost; total").selectOption("Budget");
    await section().getByLabel("Platform").selectOption("Tags of Platform");
    expect(await violationsOf(page)).toEqual([]);
    const before = (await linksOfServer({})).totalCount;
    await button("Check the file").click();
    await section().getByText("The import would do this").waitFor();
    expect(await counts()).toEqual(["New\n2", "Updated\n0", "Unchanged\n0", "Refused\n1"]);
    expect(await section().getByRole("listitem").innerText()).toMatch(/^line 4 .*budget: /);
    expect((await linksOfServer({})).totalCount).toBe(before);
    expect(await violationsOf(page)).toEqual([]);
    await page.setViewportSize({ width: 390, height: 800 });
    expect(await overflow()).toBe(0);
    await button("Import 2 links").click();
    await section().getByText("The import is done").waitFor();
    const { nodes } = await linksOfServer({ search: "imported" });
    const made = nodes.map((link: { name: string; budget: string; tags: { name: string }[] }) => [
      link.name,
      Number(link.budget),
      link.tags.map(({ name }) => name).sort(),
    ]);
    expect(made.sort()).toEqual([
      ["One; first", 1500.5, ["VK"]],
      ["Three", 3, ["VK", "YouTube"]],
    ]);
    const [download] = await Promise.all([page.waitForEvent("download"), button("Save the report").click()]);
    expect(download.suggestedFilename()).toBe("ads.csv report.json");
  });

  test("a check of another mapping is not taken for one of this mapping, and new tag types are known at once", async () => {
    await open({}, "/bulk");
    await section()
      .getByLabel("Drop a file here, or choose one")
      .setInputFiles(file("url,name,tag:Season\nt.me/+ImportedFour1234,Four,Spring\n"));
    await button("Check the file").click();
    await button("Import 1 link").waitFor();
    await section().getByLabel("name", { exact: true }).selectOption("External id");
    await button("Import 1 link").waitFor({ state: "detached" });
    expect(await section().getByText("The import would do this").count()).toBe(0);
    let answer = () => {};
    const isHeld = new Promise<void>((resolve) => {
      answer = resolve;
    });
    await page.route("**/import?*", async (route) => {
      await isHeld;
      await route.fallback();
    });
    await button("Check the file").click();
    // What is sent cannot be changed meanwhile.
    await shows(() => section().getByLabel("name", { exact: true }).isDisabled()).toBe(true);
    answer();
    await button("Import 1 link").click();
    await section().getByText("The import is done").waitFor();
    await section().getByLabel("Drop a file here, or choose one").setInputFiles(file("Address,Season\n"));
    await shows(() => section().getByLabel("Season").locator("option").allInnerTexts()).toContain(
      "Tags of Season",
    );
  });

  test("of two files the last one is taken, also if the first one is read more slowly", async () => {
    await open({}, "/bulk");
    await page.evaluate(`(() => {
      const read = Blob.prototype.text;
      Blob.prototype.text = async function () {
        Blob.prototype.text = read;
        await new Promise((resolve) => { globalThis.readSlowly = resolve; });
        return read.call(this);
      };
    })()`);
    const input = section().locator("input[type=file]");
    await input.setInputFiles(file("url\n", "slow.csv"));
    await input.setInputFiles(file("Other\n", "last.csv"));
    await section().getByText("last.csv").waitFor();
    await page.evaluate("(readSlowly(), new Promise((resolve) => setTimeout(resolve)))");
    expect(await section().getByText("last.csv").count()).toBe(1);
    expect(await section().getByLabel("Other", { exact: true }).count()).toBe(1);
  });

  test("a dropped file is taken, and a row that cannot be read says why", async () => {
    await open({}, "/bulk");
    const data = await page.evaluateHandle(`(() => {
      const transfer = new DataTransfer();
      transfer.items.add(new File(["no links\\n"], "notes.jsonl"));
      return transfer;
    })()`);
    await section().locator(".drop").dispatchEvent("drop", { dataTransfer: data });
    await section().getByText("notes.jsonl").waitFor();
    await section().getByLabel("no links").selectOption("Address");
    await button("Check the file").click();
    await shows(counts).toEqual(["New\n0", "Updated\n0", "Unchanged\n0", "Refused\n0"]);
    await section()
      .getByLabel("Drop a file here, or choose one")
      .setInputFiles(file('{"url": 5', "broken.json"));
    await button("Check the file").click();
    await shows(counts).toEqual(["New\n0", "Updated\n0", "Unchanged\n0", "Refused\n1"]);
    expect(await section().getByRole("listitem").innerText()).toMatch(/^line 1 \S/);
  });

  test("a folder that is dropped is refused with the reason, and the file that was chosen before stays", async () => {
    await open({}, "/bulk");
    await section().locator("input[type=file]").setInputFiles(file("url\n", "chosen.csv"));
    await section().getByText("chosen.csv").waitFor();
    // Chromium gives such a file for a folder.
    const data = await page.evaluateHandle(`(() => {
      Blob.prototype.text = () => Promise.reject(new DOMException("", "NotFoundError"));
      const transfer = new DataTransfer();
      transfer.items.add(new File([], "Ads"));
      return transfer;
    })()`);
    await section().locator(".drop").dispatchEvent("drop", { dataTransfer: data });
    await section().getByRole("alert").getByText("“Ads” could not be read.").waitFor();
    expect(await section().getByText("chosen.csv").count()).toBe(1);
    await button("Check the file").click();
    await shows(counts).toEqual(["New\n0", "Updated\n0", "Unchanged\n0", "Refused\n0"]);
    expect(await section().getByRole("alert").count()).toBe(0);
  });

  test("a rejected token is asked for again", async () => {
    await open({}, "/bulk");
    await page.route("**/import?*", (route) => route.fulfill({ status: 401, json: { detail: "No." } }));
    await section()
      .getByLabel("Drop a file here, or choose one")
      .setInputFiles(file("url\nt.me/+ImportedFive1234\n"));
    await button("Check the file").click();
    await page.getByRole("dialog", { name: "Sign in again" }).waitFor();
    // The browser's own message about status 401.
    for (const message of problems.consoleMessages.splice(0)) expect(message).toMatch(/401/);
  });

  test("an editor imports nothing", async () => {
    await open({ extraHTTPHeaders: { "x-forwarded-for": "192.0.2.1" } }, "/bulk");
    await page.getByLabel("API token").fill(await server.makeToken({ role: "EDITOR" }));
    await button("Sign in").click();
    await page.getByRole("heading", { name: "Create many links" }).waitFor();
    expect(await section().count()).toBe(0);
  });
});

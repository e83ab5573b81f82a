import { expect, test } from "vitest";
import { violationsOf } from "../../support/accessibility.js";
import { describeInChromium } from "../../support/chromium.js";
import { budget, linksOfServer, open, page, shows, useDashboard } from "../../support/dashboardPage.js";

describeInChromium("the languages of the dashboard", () => {
  useDashboard();

  test("the dashboard is Russian in a Russian browser, numbers and amounts included", async () => {
    await open({ locale: "ru-RU" });
    await page.getByRole("button", { name: "Создать ссылку" }).waitFor();
    const { totals } = await linksOfServer();
    const written = new Intl.NumberFormat("ru-RU", { style: "currency", currency: "USD" }).format(
      totals.budget,
    );
    await shows(budget).toBe(written);
    expect(await page.evaluate("document.documentElement.lang")).toBe("ru");
    expect(await page.locator("main").innerText()).not.toMatch(/Budget|Created|links\./);
    await shows(() => page.locator(".bars li").count()).toBeGreaterThan(0);
    for (const width of [1280, 390]) {
      await page.setViewportSize({ width, height: 844 });
      expect(await violationsOf(page), String(width)).toEqual([]);
    }
  });

  test("the language can be switched without losing the view, and is remembered", async () => {
    await open({ locale: "de-DE" });
    const language = page.getByRole("combobox", { name: "Language" });
    await page.getByRole("searchbox", { name: "Search links" }).fill("espresso");
    await language.selectOption("Русский");
    await page.getByRole("button", { name: "Создать ссылку" }).waitFor();
    expect(await page.getByRole("searchbox", { name: "Поиск ссылок" }).inputValue()).toBe("espresso");
    await page.reload();
    await page.getByRole("button", { name: "Создать ссылку" }).waitFor();
    await page.getByRole("combobox", { name: "Язык" }).selectOption("English");
    await page.getByRole("button", { name: "Create link" }).waitFor();
  });
});

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What axe finds wrong on a page by WCAG 2.2 AA and its own good practice, each as the rule and the elements. */
export async function violationsOf(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  return (await page.evaluate(`axe
    .run(document, { resultTypes: ["violations"], rules: { "label-content-name-mismatch": { enabled: true } } })
    .then(({ violations }) => violations.map(({ id, nodes }) => id + ": " + nodes.map(({ html }) => html).join(" | ")))`)) as string[];
}

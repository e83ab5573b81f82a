import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What axe finds wrong on a page by WCAG 2.2 AA and its own good practice, each as the rule and the elements. */
export async function violationsOf(page: Page): Promise<string[]> {
  // A color that is still changing has a contrast that nobody reads.
  await page.evaluate(`Promise.allSettled(document.getAnimations()
    .filter((animation) => animation instanceof CSSTransition)
    .map((transition) => transition.finished)).then(() => undefined)`);
  await page.evaluate(AXE);
  return (await page.evaluate(`axe
    .run(document, { resultTypes: ["violations"], rules: { "label-content-name-mismatch": { enabled: true } } })
    .then(({ violations }) => violations.map(({ id, nodes }) => id + ": " + nodes.map(({ html }) => html).join(" | ")))`)) as string[];
}

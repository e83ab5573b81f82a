import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");

/** All texts that a pattern finds in its first group. */
const found = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map(([, name = ""]) => name);

test("haproxy.cfg names three services of compose.yaml by default", () => {
  const names = new Set(found(read("haproxy.cfg"), /\$\{SERVER_\d-([\w-]+):4000\}/g));
  expect(names.size).toBe(3);
  const [, services = ""] = read("compose.yaml").split("\nservices:\n");
  expect(found(services, /^ {2}([\w-]+):$/gm)).toEqual(expect.arrayContaining([...names]));
});

test("each metric that docs/operating.md names exists", () => {
  const names = found(read("docs/operating.md"), /(invite_links_[a-z_]+)/g);
  expect(names.length).toBeGreaterThan(5);
  const metrics = read("src/metrics/metrics.ts");
  expect(names.filter((name) => !metrics.includes(`"${name}"`))).toEqual([]);
});

test("each variable that docs/operating.md names is one of the server, haproxy.cfg or Docker", () => {
  const names = found(read("docs/operating.md"), /`([A-Z]+_[A-Z_\d]+)[`=]/g);
  expect(names.length).toBeGreaterThan(10);
  const known = `${read(".env.example")} ${read("haproxy.cfg")} DATABASE_UNAVAILABLE`;
  expect(names.filter((name) => !known.includes(name))).toEqual([]);
});

test("haproxy.cfg logs paths without query strings", () => {
  const formats = found(read("haproxy.cfg"), /^ *(?:log-format|option httplog)(.*)$/gm);
  expect(formats).toEqual([expect.stringContaining("%HM %HPO ")]);
  expect(formats.join()).not.toMatch(/%(?:\{[^}]*\})?(?:r|HU|HQ)\b/);
});

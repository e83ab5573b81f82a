import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** The name of a prepared statement has 63 bytes at most, of which a hash and the number of a generation take 15. */
const LONGEST = 48;

const sources = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" })
  .map((path) => `src/${path.replaceAll("\\", "/")}`)
  .filter((path) => path.endsWith(".ts") && !path.startsWith("src/database/generated/"))
  .sort();

interface Use {
  readonly path: string;
  /** What stands between the parentheses of `statement(…)`. */
  readonly argument: string;
}

const uses: readonly Use[] = sources.flatMap((path) => {
  const code = readFileSync(join(ROOT, path), "utf8").replace(/^\s*(\/\/|\*|\/\*).*$/gm, "");
  return [...code.matchAll(/(?<!function )\bstatement\(([^()]*)\)/g)].map(([, argument = ""]) => ({
    path,
    argument: argument.trim().replace(/,$/, ""),
  }));
});

/** A cursor and its portions have the name of the statement whose rows they give. */
const BORROWED = ["rows.statementName", "selected.statementName"];
const named = uses
  .filter(({ argument }) => !BORROWED.includes(argument))
  .map(({ path, argument }) => ({ path, name: /^"([a-z][a-z0-9_]*)"$/.exec(argument)?.[1] ?? argument }));

test("the name of each statement stands in the sources as it is, so that it can be found", () => {
  expect(named.length).toBeGreaterThan(200);
  expect(named.filter(({ name }) => !/^[a-z][a-z0-9_]*$/.test(name))).toEqual([]);
  expect(named.filter(({ name }) => name.startsWith("prisma_"))).toEqual([]);
  expect(named.filter(({ name }) => name.length > LONGEST)).toEqual([]);
});

test("a name belongs to one statement", () => {
  const names = named.map(({ name }) => name);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});

test("docs/statements.md lists the names of all statements with their sources", async () => {
  const paths = [...new Set(named.map(({ path }) => path))];
  const namesIn = (path: string) => named.filter((one) => one.path === path).map(({ name }) => `\`${name}\``);
  const rows = paths.map((path) => `| \`${path}\` | ${namesIn(path).join(", ")} |`);
  const page = `# Names of SQL statements

Each hand-written statement has one name: in \`pg_stat_statements\`, in the metrics, in the log and in traces; see
[On a PostgreSQL server](database.md#names-of-statements). This page is written by
\`npx vitest run test/database/statementNames.unit.test.ts -u\`.

| source | statements |
| --- | --- |
${rows.join("\n")}
`;
  await expect(page).toMatchFileSnapshot(join(ROOT, "docs/statements.md"));
});

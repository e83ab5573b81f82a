import { readFileSync } from "node:fs";
import { CriticalityLevel, diff } from "@graphql-inspector/core";
import { buildSchema } from "graphql";
import { describe, expect, it } from "vitest";

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

/** The part of a Markdown text below a heading, up to the next heading of its level or a higher one. */
function below(text: string, heading: string): string {
  const level = heading.indexOf(" ");
  const lines = text.split("\n");
  const start = lines.indexOf(heading);
  if (start < 0) throw new Error(`The changelog has no heading "${heading}".`);
  const rest = lines.slice(start + 1);
  const end = rest.findIndex((line) => new RegExp(`^#{1,${level}} `).test(line));
  return rest.slice(0, end < 0 ? undefined : end).join("\n");
}

/** The breaking changes between two schemas that a changelog does not name by their paths. */
async function unnamedBreaks(released: string, current: string, changelog: string): Promise<string[]> {
  const changes = await diff(buildSchema(released), buildSchema(current));
  const named = below(below(changelog, "## Unreleased"), "### Breaking");
  return changes
    .filter(({ criticality }) => criticality.level === CriticalityLevel.Breaking)
    .filter(({ path = "" }) => !named.includes(`\`${path}\``))
    .map(({ path, message }) => `${path}: ${message}`);
}

const changelog = read("CHANGELOG.md");
const version = /^## (\d+\.\d+\.\d+)/m.exec(changelog)?.[1];

describe("changes of the GraphQL schema", () => {
  it("every breaking change since the last version has an entry in the changelog", async () => {
    const released = read(`test/graphql/released/${version}.graphql`);
    expect(await unnamedBreaks(released, read("schema.graphql"), changelog)).toEqual([]);
  });

  it("the newest version of the changelog is that of the package", () => {
    expect(version).toBe(JSON.parse(read("package.json")).version);
  });

  const RELEASED = `type Query { links(first: Int): [Int!]! tag: Int }
    enum Role { ADMIN VIEWER }
    input Filter { name: String }`;
  const log = (breaking: string) =>
    `# Changelog\n\n## Unreleased\n\n### Breaking\n\n${breaking}\n\n## 0.1.0\n\n\`Query.tag\``;

  it.each([
    ["a removed field", RELEASED.replace("tag: Int", ""), "Query.tag"],
    ["a field that may newly be null", RELEASED.replace("[Int!]!", "[Int!]"), "Query.links"],
    [
      "an argument that newly must be given",
      RELEASED.replace("first: Int", "first: Int!"),
      "Query.links.first",
    ],
    ["a removed enum value", RELEASED.replace("VIEWER", ""), "Role.VIEWER"],
    ["a required input field", RELEASED.replace("name: String", "name: String id: ID!"), "Filter.id"],
  ])("%s is refused without an entry, and accepted with one", async (_name, current, path) => {
    expect(await unnamedBreaks(RELEASED, current, log("Nothing."))).toEqual([
      expect.stringContaining(`${path}: `),
    ]);
    expect(await unnamedBreaks(RELEASED, current, log(`- \`${path}\`: use another.`))).toEqual([]);
  });

  it("what clients need not know of is no break", async () => {
    const current = `${RELEASED.replace("tag: Int", "tag: Int count(of: Int): Int").replace("VIEWER", "VIEWER EDITOR")} type Tag { id: ID! }`;
    expect(await unnamedBreaks(RELEASED, current, log("Nothing."))).toEqual([]);
  });
});

import { readFileSync } from "node:fs";
import { buildSchema, type GraphQLError, parse, validate } from "graphql";
import { expect, test } from "vitest";

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
const schema = buildSchema(read("schema.graphql"));

const EXAMPLES = [
  "README.md",
  "docs/members.md",
  "docs/webhooks.md",
  "docs/rest.md",
  "docs/audit.md",
].flatMap((path) =>
  [...read(path).matchAll(/^ *```graphql\n([\s\S]*?)```$/gm)].map(([, text = ""]) => ({
    path,
    text,
    title: text.trim().replace(/\s+/g, " ").slice(0, 50),
  })),
);

test("README.md has examples of GraphQL", () => {
  expect(EXAMPLES.filter(({ path }) => path === "README.md").length).toBeGreaterThan(10);
});

test.each(EXAMPLES)("the example in $path fits the schema: $title", ({ text }) => {
  const errors: readonly GraphQLError[] = validate(schema, parse(text));
  expect(errors).toEqual([]);
});

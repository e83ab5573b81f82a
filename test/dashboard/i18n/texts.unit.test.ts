import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createTranslate, flatten, type Texts } from "../../../dashboard/src/i18n/translate.js";

const SOURCES = new URL("../../../dashboard/src/", import.meta.url);
const readTexts = (language: string): Texts =>
  JSON.parse(readFileSync(new URL(`i18n/${language}.json`, SOURCES), "utf8"));
const languages = readdirSync(new URL("i18n/", SOURCES))
  .filter((name) => name.endsWith(".json"))
  .map((name) => name.replace(".json", ""));
const english = flatten(readTexts("en"));

const FORM = /_(zero|one|two|few|many|other)$/;
/** The keys with every form that the language has. */
function expectedKeys(language: string): string[] {
  const { pluralCategories } = new Intl.PluralRules(language).resolvedOptions();
  const bases = new Set([...english.keys()].map((key) => key.replace(FORM, "")));
  return [...bases].flatMap((key) =>
    english.has(`${key}_other`) ? pluralCategories.map((form) => `${key}_${form}`) : [key],
  );
}
const placeholders = (text = ""): string[] =>
  [...new Set([...text.matchAll(/\{\{(\w+)\}\}/g)].map(([, name = ""]) => name))].sort();

test("English and Russian have a file of texts", () => {
  expect(languages).toEqual(expect.arrayContaining(["en", "ru"]));
});

describe.each(languages)("the texts in %s", (language) => {
  const texts = flatten(readTexts(language));

  test("no text and no form of a plural is missing or too many", () => {
    expect([...texts.keys()].sort()).toEqual(expectedKeys(language).sort());
  });

  test("no text is empty, and each has the placeholders of the English one", () => {
    for (const [key, text] of texts) {
      expect(text.trim(), key).not.toBe("");
      const source = english.get(key) ?? english.get(key.replace(FORM, "_other"));
      expect(placeholders(text), key).toEqual(placeholders(source));
    }
  });
});

test("every text is used", () => {
  const code = readdirSync(SOURCES, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.tsx?$/.test(name) && !name.includes("gql"))
    .map((name) => readFileSync(new URL(name, SOURCES), "utf8"))
    .join("\n");
  const unused = [...english.keys()]
    .map((key) => key.replace(FORM, ""))
    .filter((key) => !code.includes(`"${key}"`) && !code.includes(`t(\`${key.split(".")[0]}.`));
  expect(unused).toEqual([]);
});

test("a count chooses the form of the plural, and a right-to-left name is isolated", () => {
  const t = createTranslate<Record<"files" | "made", string>>("ru", {
    files_one: "{{count}} файл",
    files_few: "{{count}} файла",
    files_many: "{{count}} файлов",
    files_other: "{{count}} файла",
    made: "«{{name}}» готово",
  });
  expect([1, 3, 5, 21].map((count) => t("files", { count }))).toEqual([
    "1 файл",
    "3 файла",
    "5 файлов",
    "21 файл",
  ]);
  expect(t("made", { name: "Plain" })).toBe("«Plain» готово");
  expect(t("made", { name: "שלום (2)" })).toBe("«\u2068שלום (2)\u2069» готово");
});

import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createLoaders } from "../../../src/domain/loaders.js";
import { ForbiddenError, ValidationError } from "../../../src/domain/shared/errors.js";
import { globalId, newId } from "../../../src/domain/shared/ids.js";
import { foldName } from "../../../src/domain/shared/text.js";
import type { Tag } from "../../../src/domain/tags/tag.js";
import { Tags } from "../../../src/domain/tags/tagQueries.js";
import { ALL_FORMS, describeOnForms, openTestDatabase, type TestDatabase } from "../../support/databases.js";
import { propertyInTime } from "../../support/properties.js";
import { compareIds, compareTexts, contains, modelFold } from "../model.js";
import { expectAllPages, expectPage, type ListUnderTest } from "../pages.js";
import { callerOf, type NewTag, newChatId, storeChannel, storeTags, storeTagType } from "../support.js";

const NAMES = [
  "Ad",
  "AD 2",
  "реклама",
  "Реклама 2",
  "ΟΔΟΣ",
  "😀",
  "￼",
  "\u{10ffff}",
  "100%",
  "a_b",
  "Z",
  "zz",
  "é",
  "ß",
  "B",
];

await describeOnForms("pages of tags", ALL_FORMS, (form) => {
  let test: TestDatabase;
  let types: string[];

  const open = (chatIds: number[] | null = null) =>
    new Tags(test.database, callerOf(chatIds), createLoaders(test.database, callerOf(chatIds)));

  beforeAll(async () => {
    test = await openTestDatabase(form);
    types = [];
    for (const name of ["Source", "Country", "Nothing"]) types.push(await storeTagType(test.database, name));
  });
  afterAll(() => test?.close());

  it("pages of tags follow the contract for any name, type and page", async () => {
    const seeds = fc.uniqueArray(
      fc.record({ type: fc.nat(1), name: fc.constantFrom(...NAMES), rank: fc.nat(100) }),
      { maxLength: 20, selector: ({ type, name }) => `${type} ${foldName(name)}` },
    );
    const query = fc.record({
      name: fc.constantFrom(undefined, null, "", "%", "_", "AD", "Ре", "σ", "Σ", "😀", "2", "nothing"),
      type: fc.constantFrom(null, 0, 1, 2),
      global: fc.boolean(),
      step: fc.integer({ min: 1, max: 5 }),
      page: fc.record(
        { first: fc.nat(5), last: fc.nat(5), after: fc.nat(), before: fc.nat() },
        { requiredKeys: [] },
      ),
    });
    await fc.assert(
      propertyInTime(seeds, fc.array(query, { minLength: 3, maxLength: 6 }), async (seed, queries) => {
        const channel = await storeChannel(test.database);
        const other = await storeChannel(test.database);
        const ids = seed.map(newId);
        const tags: NewTag[] = [...seed]
          .sort((left, right) => left.rank - right.rank)
          .map(({ type, name }, place) => ({
            id: ids[place] as string,
            typeId: types[type] as string,
            name,
          }));
        await storeTags(test.database, channel.id, tags);
        await storeTags(
          test.database,
          other.id,
          tags.map((tag) => ({ ...tag, id: newId() })),
        );

        const compare = (left: NewTag, right: NewTag) =>
          compareTexts(modelFold(left.name), modelFold(right.name)) || compareIds(left.id, right.id);
        const everything = await open().page({ chatId: channel.chatId, first: 100 });
        const cursors = new Map(everything.edges.map(({ node, cursor }) => [node.id, cursor]));
        for (const { name, type, global, step, page } of queries) {
          const typeId = type === null ? null : (types[type] as string);
          const list: ListUnderTest<Tag, NewTag> = {
            read: (args) =>
              open().page({
                chatId: channel.chatId,
                name,
                typeId: typeId !== null && global ? globalId("TagType", typeId) : typeId,
                ...args,
              }),
            sorted: tags
              .filter(
                (tag) => (!name || contains(tag.name, name)) && (typeId === null || tag.typeId === typeId),
              )
              .sort(compare),
            compare,
            cursorOf: ({ id }) => cursors.get(id) as string,
          };
          await expectAllPages(list, step);
          const { after, before, first, last } = page;
          const at = (place: number | undefined) =>
            place === undefined ? undefined : tags[place % tags.length];
          const [from, to] = [at(after), at(before)];
          await expectPage(list, {
            ...(last === undefined ? (first === undefined ? {} : { first }) : { last }),
            ...(from ? { after: from } : {}),
            ...(to ? { before: to } : {}),
          });
        }
      }),
      { numRuns: 30 },
    );
  });

  it("pages of tags work with the longest possible names", async () => {
    const channel = await storeChannel(test.database);
    const names = ["\ufdfa".repeat(64), `${"\ufdfa".repeat(63)}x`];
    await storeTags(
      test.database,
      channel.id,
      names.map((name) => ({ id: newId(), typeId: types[0] as string, name })),
    );
    const first = await open().page({ chatId: channel.chatId, first: 1 });
    const after = first.edges[0]?.cursor;
    const second = await open().page({ chatId: channel.chatId, first: 1, after });
    expect([first, second].map(({ edges }) => edges[0]?.node.name)).toEqual(
      [names[1], names[0]].sort((left, right) => compareTexts(modelFold(left ?? ""), modelFold(right ?? ""))),
    );
  });

  it("a page of tags is empty for a granted chat without a channel", async () => {
    const chatId = newChatId();
    const page = await open([chatId]).page({ chatId });
    expect([
      page.edges,
      await page.totalCount(),
      await page.hasNextPage(),
      await page.hasPreviousPage(),
    ]).toEqual([[], 0, false, false]);
    await expect(open([chatId]).page({ chatId, after: "x" })).rejects.toThrow(ValidationError);
  });

  it("arguments that make no page of tags are refused", async () => {
    const { chatId } = await storeChannel(test.database);
    await expect(open([chatId]).page({ chatId: chatId - 1_000_000 })).rejects.toThrow(ForbiddenError);
    for (const args of [
      { name: "a\0" },
      { name: "\ud800" },
      { typeId: "x" },
      { typeId: globalId("Tag", newId()) },
      { first: -1 },
      { first: 101 },
      { first: 1, last: 1 },
      { after: "x" },
      { before: "\0" },
    ]) {
      await expect(open().page({ chatId, ...args }), JSON.stringify(args)).rejects.toThrow(ValidationError);
    }
  });
});

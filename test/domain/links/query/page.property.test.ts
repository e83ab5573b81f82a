import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { InviteLink } from "../../../../src/domain/links/inviteLink.js";
import { Links } from "../../../../src/domain/links/query/linkQueries.js";
import type { InviteLinkOrder } from "../../../../src/domain/links/query/order.js";
import { createLoaders } from "../../../../src/domain/loaders.js";
import type { PageArguments } from "../../../../src/domain/paging/arguments.js";
import type { Tag } from "../../../../src/domain/tags/tag.js";
import { fastPaths } from "../../../../src/fastPaths.js";
import {
  describeOnForms,
  openTestDatabase,
  type TestDatabase,
  USUAL_FORMS,
} from "../../../support/databases.js";
import { propertyInTime } from "../../../support/properties.js";
import { type Compare, compareIds, compareTexts, type ModelRequest, modelFold } from "../../model.js";
import { argumentsOf, expectAllPages, expectPage, type ListUnderTest, readAll } from "../../pages.js";
import { amount, callerOf, type NewLink, storeLinks, urlOf } from "../../support.js";
import {
  type FilterSeed,
  filterSeed,
  INSTANTS,
  linkSeed,
  type NewType,
  pick,
  store,
  storeTypes,
  tagGroupsSeed,
  toFilter,
  toLinks,
  type World,
  worldSeed,
} from "../worlds.js";

// Arguments ───────────────────────────────────────────────────────────────────────────

const orders = fc.option(
  fc.array(
    fc.record<InviteLinkOrder>({
      field: fc.constantFrom("NAME", "CREATED_AT", "BUDGET"),
      direction: fc.constantFrom("ASC", "DESC"),
    }),
    { maxLength: 3 },
  ),
  { nil: null },
);

const NO_FILTER: FilterSeed = {
  name: null,
  creatorId: null,
  ids: null,
  isRevoked: null,
  isExpired: null,
  isBotCreated: null,
  createdFrom: null,
  createdTo: null,
  tagGroups: null,
};

const pageSeed = fc.record({
  mode: fc.constantFrom("first", "last", "page", "neither"),
  size: fc.oneof(fc.nat(5), fc.constantFrom(0, 1, 10, 25, 26, 100)),
  page: fc.integer({ min: 1, max: 9 }),
  after: fc.option(fc.nat(), { nil: null }),
  before: fc.option(fc.nat(), { nil: null }),
});
type PageSeed = typeof pageSeed extends fc.Arbitrary<infer T> ? T : never;

function toCompare(given: readonly InviteLinkOrder[] | null): Compare<NewLink> {
  const effective: readonly InviteLinkOrder[] =
    given && given.length > 0 ? given : [{ field: "CREATED_AT", direction: "DESC" }];
  return (left, right) => {
    for (const { field, direction } of effective) {
      const sign = direction === "ASC" ? 1 : -1;
      if (field === "NAME") {
        if (left.name === null && right.name === null) continue;
        if (left.name === null) return 1;
        if (right.name === null) return -1;
      }
      const difference =
        field === "NAME"
          ? compareTexts(foldedName(left), foldedName(right))
          : field === "BUDGET"
            ? Number(left.cents > right.cents) - Number(left.cents < right.cents)
            : left.createdAt.getTime() - right.createdAt.getTime();
      if (difference !== 0) return sign * difference;
    }
    return (effective.at(-1)?.direction === "ASC" ? 1 : -1) * compareIds(left.id, right.id);
  };
}

const folded = new Map<string, string>();
function foldedName({ name }: NewLink): string {
  const text = name ?? "";
  const key = folded.get(text) ?? modelFold(text);
  folded.set(text, key);
  return key;
}

function toRequest(
  links: readonly NewLink[],
  { mode, size, page, after, before }: PageSeed,
): ModelRequest<NewLink> {
  if (mode === "page") return { page, first: size };
  const [from, to] = [after, before].map((place) => (place === null ? undefined : pick(links, place)));
  return {
    ...(mode === "first" ? { first: size } : mode === "last" ? { last: size } : {}),
    ...(from ? { after: from } : {}),
    ...(to ? { before: to } : {}),
  };
}

// The tests ─────────────────────────────────────────────────────────────────────────────────────

await describeOnForms("pages of links", USUAL_FORMS, (form) => {
  let test: TestDatabase;
  let types: NewType[];
  let stranger: string;

  const open = () => new Links(test.database, callerOf(), createLoaders(test.database, callerOf()));

  beforeAll(async () => {
    test = await openTestDatabase(form);
    types = await storeTypes(test.database);
    const other = await store(test.database, types, {
      tags: [0, 1, 2],
      links: [
        {
          rank: 0,
          name: "Ad",
          createdAt: new Date(INSTANTS[0] as number),
          cents: 0n,
          creatorId: 7,
          isRevoked: false,
          isBotCreated: true,
          expires: "never",
          tags: 7,
        },
      ],
    });
    stranger = other.links[0]?.id as string;
  });
  afterAll(() => test?.close());

  /** The list under a filter and an order. Each page is read by queries of its own, as requests do. */
  async function listOf(
    { channel, links }: World,
    orderBy: readonly InviteLinkOrder[] | null,
    { filter, passes }: ReturnType<typeof toFilter>,
  ): Promise<ListUnderTest<InviteLink, NewLink>> {
    const compare = toCompare(orderBy);
    const everything = await open().page({ chatId: channel.chatId, orderBy, first: 100 });
    const cursors = new Map(everything.edges.map(({ node, cursor }) => [node.id, cursor]));
    expect(everything.edges.map(({ node }) => node.id)).toEqual([...links].sort(compare).map(({ id }) => id));
    return {
      read: (args: PageArguments) => open().page({ chatId: channel.chatId, filter, orderBy, ...args }),
      sorted: links.filter((link) => passes(link)).sort(compare),
      compare,
      cursorOf: ({ id }) => cursors.get(id) as string,
    };
  }

  it("a page of links is what the contract says, for any filter, order and page", async () => {
    const query = fc.record({
      filter: filterSeed,
      orderBy: orders,
      pages: fc.array(pageSeed, { minLength: 3, maxLength: 5 }),
      step: fc.integer({ min: 2, max: 9 }),
    });
    let [asked, listed] = [0, 0];
    await fc.assert(
      propertyInTime(worldSeed, fc.array(query, { minLength: 3, maxLength: 5 }), async (seed, queries) => {
        const world = await store(test.database, types, seed);
        for (const { filter, orderBy, pages, step } of queries) {
          const list = await listOf(world, orderBy, toFilter(world, filter, stranger));
          asked += 1;
          listed += list.sorted.length;
          await expectAllPages(list, step);
          for (const page of pages) await expectPage(list, toRequest(world.links, page));
        }
      }),
      { numRuns: 30 },
    );
    // If the filters left no links, the test would prove nothing.
    expect(listed / asked).toBeGreaterThan(0.5);
  });

  it("a page of links under tag groups is what the contract says, in the order of creation from either end", async () => {
    const query = fc.record({
      filter: filterSeed,
      tagGroups: tagGroupsSeed,
      orderBy: fc.constantFrom<InviteLinkOrder[] | null>(
        null,
        [{ field: "CREATED_AT", direction: "DESC" }],
        [{ field: "CREATED_AT", direction: "ASC" }],
      ),
      pages: fc.array(pageSeed, { minLength: 3, maxLength: 5 }),
      step: fc.integer({ min: 1, max: 4 }),
    });
    let listed = 0;
    test.statements.length = 0;
    await fc.assert(
      propertyInTime(worldSeed, fc.array(query, { minLength: 2, maxLength: 4 }), async (seed, queries) => {
        const world = await store(test.database, types, seed);
        for (const { filter, tagGroups, orderBy, pages, step } of queries) {
          const { isRevoked, createdFrom, createdTo } = filter;
          const groups = { ...NO_FILTER, tagGroups, isRevoked, createdFrom, createdTo };
          const list = await listOf(world, orderBy, toFilter(world, groups, stranger));
          listed += list.sorted.length;
          await expectAllPages(list, step);
          for (const page of pages) await expectPage(list, toRequest(world.links, page));
        }
      }),
      { numRuns: 40 },
    );
    expect(listed).toBeGreaterThan(0);
    if (!fastPaths.tagMergeScan) return;
    // Most of the pages take the tag merge scan, which is there for them.
    const [merged, filtered] = ["bit_or(l.met)", "intersect"].map(
      (word) => test.statements.filter(({ text }) => text.includes(word)).length,
    );
    expect(merged).toBeGreaterThan(filtered ?? 0);
  });

  it("a page of links without a filter is what the contract says, for any order and page", async () => {
    await fc.assert(
      propertyInTime(
        worldSeed,
        orders,
        fc.array(pageSeed, { minLength: 5, maxLength: 10 }),
        async (seed, orderBy, pages) => {
          const world = await store(test.database, types, seed);
          const list = await listOf(world, orderBy, { filter: {}, passes: () => true });
          for (const page of pages) await expectPage(list, toRequest(world.links, page));
          await expectAllPages(list, 3);
        },
      ),
      { numRuns: 30 },
    );
  });

  it("a page has the links with all their properties as they are stored", async () => {
    await fc.assert(
      propertyInTime(worldSeed, async (seed) => {
        const { channel, links } = await store(test.database, types, seed);
        const page = await open().page({ chatId: channel.chatId, first: 100 });
        const { tagsVersion } = await test.database.prisma.channel.findUniqueOrThrow({
          where: { id: channel.id },
        });
        expect(new Map(page.edges.map(({ node }) => [node.id, node]))).toEqual(
          new Map(
            links.map((link) => [
              link.id,
              {
                id: link.id,
                channelId: channel.id,
                chatId: channel.chatId,
                name: link.name,
                nameKey: link.name === null ? null : foldedName(link),
                url: urlOf(link.id),
                createsJoinRequest: false,
                expireDate: link.expireDate?.toISOString() ?? null,
                memberLimit: null,
                subscriptionPrice: null,
                budget: amount(link.cents),
                creatorId: link.creatorId,
                isBotCreated: link.isBotCreated,
                isRevoked: link.isRevoked,
                createdAt: link.createdAt.toISOString(),
                updatedAt: null,
                externalId: null,
                tagIds: link.tags.map(({ id }) => id).sort(),
                tagsVersion,
              },
            ]),
          ),
        );
      }),
      { numRuns: 10 },
    );
  });

  it("reading page by page shows no link twice and skips none while links are being added", async () => {
    await fc.assert(
      propertyInTime(
        worldSeed,
        orders,
        fc.integer({ min: 1, max: 4 }),
        fc.boolean(),
        fc.array(fc.array(linkSeed, { maxLength: 3 }), { maxLength: 8 }),
        async (seed, orderBy, size, backward, additions) => {
          const { channel, links, tags } = await store(test.database, types, seed);
          const compare = toCompare(orderBy);
          const all = [...links];
          const waiting = [...additions];
          const shown = await readAll(
            (args) => open().page({ chatId: channel.chatId, orderBy, ...args }),
            size,
            backward,
            async () => {
              const added = toLinks(waiting.shift() ?? [], tags);
              await storeLinks(test.database, channel.id, added);
              all.push(...added);
            },
          );
          const ids = shown.map(({ id }) => id);
          expect(new Set(ids).size).toBe(ids.length);
          expect(ids).toEqual(
            [...all]
              .sort(compare)
              .map(({ id }) => id)
              .filter((id) => ids.includes(id)),
          );
          expect(ids).toEqual(expect.arrayContaining(links.map(({ id }) => id)));
        },
      ),
      { numRuns: 30 },
    );
  });

  /** The lists of the links of each of a world's tags, all read by the same queries, as one request does. */
  async function listsOfTags({ channel, links, tags }: World) {
    const compare = toCompare(null);
    const everything = await open().page({ chatId: channel.chatId, first: 100 });
    const cursors = new Map(everything.edges.map(({ node, cursor }) => [node.id, cursor]));
    const ids = tags.map(({ id }) => id);
    const loaded = (await createLoaders(test.database, callerOf()).tag.loadMany(ids)) as Tag[];
    return (queries: Links) =>
      loaded.map(
        (tag): ListUnderTest<InviteLink, NewLink> => ({
          read: (args) => queries.pageOfTag(tag, args),
          sorted: links.filter((link) => link.tags.some(({ id }) => id === tag.id)).sort(compare),
          compare,
          cursorOf: ({ id }) => cursors.get(id) as string,
        }),
      );
  }

  it("the pages of many tags' links are read in one statement, each as the contract says", async () => {
    await fc.assert(
      propertyInTime(worldSeed, fc.array(pageSeed, { minLength: 2, maxLength: 6 }), async (seed, pages) => {
        const world = await store(test.database, types, seed);
        const listsThrough = await listsOfTags(world);
        for (const page of pages) {
          const lists = listsThrough(open());
          const request = toRequest(world.links, page);
          test.statements.length = 0;
          await Promise.all(lists.map((list) => list.read(argumentsOf(list, request))));
          expect(test.statements.length).toBe(lists.length === 0 ? 0 : 1);
          await Promise.all(lists.map((list) => expectPage(list, request)));
          // One statement for the rows, one for the counts, and one for each side that the rows cannot tell.
          expect(test.statements.length).toBeLessThanOrEqual(lists.length === 0 ? 0 : 4);
        }
      }),
      { numRuns: 30 },
    );
  });

  it("the pages of many tags' links do not mix when they are asked for with different slices at once", async () => {
    await fc.assert(
      propertyInTime(worldSeed, fc.array(pageSeed, { minLength: 2, maxLength: 5 }), async (seed, pages) => {
        const world = await store(test.database, types, seed);
        const lists = (await listsOfTags(world))(open());
        await Promise.all(
          pages.flatMap((page) => lists.map((list) => expectPage(list, toRequest(world.links, page)))),
        );
      }),
      { numRuns: 20 },
    );
  });
});

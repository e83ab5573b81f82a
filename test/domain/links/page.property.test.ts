import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { globalId, type IdKind, newId } from "../../../src/domain/ids.js";
import type { InviteLinkFilter } from "../../../src/domain/links/filter.js";
import type { InviteLink } from "../../../src/domain/links/inviteLink.js";
import { Links } from "../../../src/domain/links/links.js";
import type { InviteLinkOrder } from "../../../src/domain/links/order.js";
import { createLoaders } from "../../../src/domain/loaders.js";
import type { PageArguments } from "../../../src/domain/paging/arguments.js";
import type { Tag } from "../../../src/domain/tags/tag.js";
import { ALL_FORMS, describeOnForms, openTestDatabase, type TestDatabase } from "../../support/databases.js";
import { type Compare, compareIds, compareTexts, contains, type ModelRequest, modelFold } from "../model.js";
import { expectPage, expectWalks, type ListUnderTest, walk } from "../pages.js";
import {
  amount,
  callerOf,
  type NewLink,
  type NewTag,
  type StoredChannel,
  storeChannel,
  storeLinks,
  storeTags,
  storeTagType,
  urlOf,
} from "../support.js";

// What a list is made of ────────────────────────────────────────────────────────────────────────

const NAMES = [
  "Ad",
  "ad",
  "AD",
  "Реклама",
  "реклама в июле",
  "ΟΔΟΣ",
  "οδός",
  "広告",
  "إعلان",
  "😀",
  "😀 b",
  "￼",
  "\u{10ffff}",
  "ﬁ",
  "100%",
  "a_b",
  "a b",
  "Z",
  "_",
  "é",
  "e\u0301",
  "ß",
  "SS",
  "İ",
  "\\",
  "'",
  "zz",
];
const INSTANTS = [0, 1, 2, 999, 86_400_000].map((offset) => Date.parse("2026-03-01T12:00:00.000Z") + offset);
const CREATORS = [null, 7, 8, 2 ** 52 - 1];
const EXPIRES = {
  never: null,
  past: new Date("2020-01-01T00:00:00Z"),
  future: new Date("2099-01-01T00:00:00Z"),
};
const TYPES = 4;
const MOST_TAGS = 6;

const name = fc.option(
  fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...NAMES) },
    {
      weight: 1,
      arbitrary: fc.string({ unit: "grapheme", maxLength: 6 }).filter((text) => !text.includes("\0")),
    },
  ),
  { nil: null, freq: 6 },
);

const linkSeed = fc.record({
  rank: fc.nat(1_000),
  name,
  createdAt: fc.constantFrom(...INSTANTS).map((instant) => new Date(instant)),
  cents: fc.constantFrom(0n, 1n, 100n, 1_000n, 150_050n, 99_999_999_999_999n),
  creatorId: fc.constantFrom(...CREATORS),
  isRevoked: fc.boolean(),
  isBotCreated: fc.boolean(),
  expires: fc.constantFrom<keyof typeof EXPIRES>("never", "past", "future"),
  tags: fc.nat(2 ** MOST_TAGS - 1),
});
type LinkSeed = typeof linkSeed extends fc.Arbitrary<infer T> ? T : never;

const worldSeed = fc.record({
  /** The place of each tag's type; the last type has none. */
  tags: fc.array(fc.nat(TYPES - 2), { maxLength: MOST_TAGS }),
  links: fc.array(linkSeed, { maxLength: 25, size: "max" }),
});
type WorldSeed = typeof worldSeed extends fc.Arbitrary<infer T> ? T : never;

interface World {
  readonly channel: StoredChannel;
  readonly types: readonly string[];
  readonly tags: readonly NewTag[];
  readonly links: readonly NewLink[];
}

function toLinks(seeds: readonly LinkSeed[], tags: readonly NewTag[]): NewLink[] {
  // Ids in another order than anything else.
  const ids = seeds.map(newId);
  return [...seeds]
    .map((seed, index) => ({ seed, index }))
    .sort((left, right) => left.seed.rank - right.seed.rank || left.index - right.index)
    .map(({ seed: { rank, expires, tags: carried, ...seed } }, place) => ({
      ...seed,
      id: ids[place] as string,
      expireDate: EXPIRES[expires],
      tags: tags.filter((_, index) => (carried >> index) & 1),
    }));
}

async function store(test: TestDatabase, types: readonly string[], seed: WorldSeed): Promise<World> {
  const channel = await storeChannel(test.database);
  const tags = seed.tags.map((type, index) => ({
    id: newId(),
    typeId: types[type] as string,
    name: `Tag ${index}`,
  }));
  await storeTags(test.database, channel.id, tags);
  const links = toLinks(seed.links, tags);
  await storeLinks(test.database, channel.id, links);
  return { channel, types, tags, links };
}

// How it is asked for ───────────────────────────────────────────────────────────────────────────

/** Few conditions at a time, so that they leave some links. */
const seldom = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<T | null> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: values });
const optionalFlag = fc.constantFrom(undefined, undefined, undefined, null, null, null, true, false);
const optionalInstant = seldom(
  fc.constantFrom(...INSTANTS, (INSTANTS[2] ?? 0) + 1, 0).map((instant) => new Date(instant)),
);
/** The same id as a client may write it. */
type Write = (kind: IdKind, id: string) => string;

const written = fc.constantFrom<Write>(
  globalId,
  (_kind, id) => id,
  (_kind, id) => id.toUpperCase(),
);

const filterSeed = fc.record({
  name: seldom(
    fc.oneof(
      fc.constantFrom("", "%", "_", "\\", "'", "AD", "ре", "Σ", "😀", "fi", " ", "e", "SS"),
      fc.record({
        link: fc.nat(),
        from: fc.nat(),
        length: fc.nat(),
        casing: fc.constantFrom("asIs", "upper", "lower", "nfd"),
      }),
    ),
  ),
  creatorId: seldom(fc.constantFrom(7, 8, 2 ** 52 - 1, 99)),
  ids: seldom(
    fc.oneof(
      { weight: 1, arbitrary: fc.constant<[number | null, Write][]>([]) },
      {
        weight: 4,
        arbitrary: fc.array(fc.tuple(fc.option(fc.nat(), { nil: null }), written), { maxLength: 12 }),
      },
    ),
  ),
  isRevoked: optionalFlag,
  isExpired: optionalFlag,
  isBotCreated: optionalFlag,
  createdFrom: optionalInstant,
  createdTo: optionalInstant,
  tagGroups: fc.option(
    fc.array(
      fc.record({
        type: fc.nat(TYPES - 1),
        withoutType: fc.boolean(),
        tags: fc.nat(2 ** MOST_TAGS - 1),
        written,
      }),
      { maxLength: 4 },
    ),
    { nil: null, freq: 3 },
  ),
});
type FilterSeed = typeof filterSeed extends fc.Arbitrary<infer T> ? T : never;

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

const pageSeed = fc.record({
  mode: fc.constantFrom("first", "last", "page", "neither"),
  size: fc.oneof(fc.nat(5), fc.constantFrom(0, 1, 10, 25, 26, 100)),
  page: fc.integer({ min: 1, max: 9 }),
  after: fc.option(fc.nat(), { nil: null }),
  before: fc.option(fc.nat(), { nil: null }),
});
type PageSeed = typeof pageSeed extends fc.Arbitrary<infer T> ? T : never;

const pick = <T>(values: readonly T[], place: number): T | undefined =>
  values[place % Math.max(1, values.length)];

function cut(world: World, part: Exclude<FilterSeed["name"], string | null>): string {
  const points = Array.from(pick(world.links, part.link)?.name ?? "Ad");
  const from = part.from % Math.max(1, points.length);
  const text = points.slice(from, from + 1 + (part.length % Math.max(1, points.length - from))).join("");
  const casings = {
    asIs: text,
    upper: text.toUpperCase(),
    lower: text.toLowerCase(),
    nfd: text.normalize("NFD"),
  };
  return casings[part.casing as keyof typeof casings];
}

/** The filter as it is asked for, and what a link must be to pass it. */
function toFilter(
  world: World,
  seed: FilterSeed,
  stranger: string,
): { filter: InviteLinkFilter; passes: (link: NewLink) => boolean } {
  const part = seed.name === null ? null : typeof seed.name === "string" ? seed.name : cut(world, seed.name);
  const ids = seed.ids?.map(([link, write]) => ({
    id: (link === null ? undefined : pick(world.links, link)?.id) ?? stranger,
    write,
  }));
  const groups = seed.tagGroups?.map(({ type, withoutType, tags, written: write }) => ({
    typeId: world.types[type] as string,
    withoutType,
    tags: world.tags
      .filter((tag, index) => tag.typeId === world.types[type] && (tags >> index) & 1)
      .map(({ id }) => id),
    write,
  }));
  const { creatorId, isRevoked, isExpired, isBotCreated, createdFrom, createdTo } = seed;
  const filter: InviteLinkFilter = {
    name: part,
    creatorId,
    isRevoked,
    isExpired,
    isBotCreated,
    createdFrom,
    createdTo,
    ids: ids?.map(({ id, write }) => write("InviteLink", id)) ?? null,
    tagGroups:
      groups?.map(({ typeId, withoutType, tags, write }) => ({
        tagTypeId: write("TagType", typeId),
        withoutType,
        tagIds: tags.map((id) => write("Tag", id)),
      })) ?? null,
  };
  const now = Date.now();
  const passes = (link: NewLink): boolean => {
    if (part !== null && part !== "" && !(link.name !== null && contains(link.name, part))) return false;
    if (creatorId !== null && link.creatorId !== creatorId) return false;
    if (ids && !ids.some(({ id }) => id === link.id)) return false;
    if (isRevoked != null && link.isRevoked !== isRevoked) return false;
    if (isBotCreated != null && link.isBotCreated !== isBotCreated) return false;
    if (isExpired != null && (link.expireDate !== null && link.expireDate.getTime() <= now) !== isExpired)
      return false;
    if (createdFrom !== null && link.createdAt.getTime() < createdFrom.getTime()) return false;
    if (createdTo !== null && link.createdAt.getTime() >= createdTo.getTime()) return false;
    return world.types.every((typeId) => {
      const ofType = groups?.filter((group) => group.typeId === typeId) ?? [];
      const without = ofType.some(({ withoutType }) => withoutType);
      const tags = ofType.flatMap((group) => group.tags);
      if (tags.length === 0 && !without) return true;
      return (
        link.tags.some(({ id }) => tags.includes(id)) ||
        (without && !link.tags.some((tag) => tag.typeId === typeId))
      );
    });
  };
  return { filter, passes };
}

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

const LIMIT = { interruptAfterTimeLimit: 20_000 };

await describeOnForms("pages of links", ALL_FORMS, (form) => {
  let test: TestDatabase;
  let types: string[];
  let stranger: string;

  const open = () => new Links(test.database, callerOf(), createLoaders(test.database, callerOf()));

  beforeAll(async () => {
    test = await openTestDatabase(form);
    types = [];
    for (let index = 0; index < TYPES; index += 1)
      types.push(await storeTagType(test.database, `Type ${index}`));
    const other = await store(test, types, {
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

  /** The list under a filter and an order, for reading through a service of its own at each page, as requests do. */
  async function listOf(
    { channel, links }: World,
    orderBy: readonly InviteLinkOrder[] | null,
    { filter, passes }: ReturnType<typeof toFilter>,
  ): Promise<ListUnderTest<InviteLink, NewLink>> {
    const compare = toCompare(orderBy);
    const everything = await open().page({ channelId: channel.chatId, orderBy, first: 100 });
    const cursors = new Map(everything.edges.map(({ node, cursor }) => [node.id, cursor]));
    expect(everything.edges.map(({ node }) => node.id)).toEqual([...links].sort(compare).map(({ id }) => id));
    return {
      read: (args: PageArguments) => open().page({ channelId: channel.chatId, filter, orderBy, ...args }),
      sorted: links.filter(passes).sort(compare),
      compare,
      cursorOf: ({ id }) => cursors.get(id) as string,
    };
  }

  it("are what the contract says, for any filter, order and page", async () => {
    const query = fc.record({
      filter: filterSeed,
      orderBy: orders,
      pages: fc.array(pageSeed, { minLength: 3, maxLength: 5 }),
      step: fc.integer({ min: 2, max: 9 }),
    });
    let [asked, listed] = [0, 0];
    await fc.assert(
      fc.asyncProperty(worldSeed, fc.array(query, { minLength: 3, maxLength: 5 }), async (seed, queries) => {
        const world = await store(test, types, seed);
        for (const { filter, orderBy, pages, step } of queries) {
          const list = await listOf(world, orderBy, toFilter(world, filter, stranger));
          asked += 1;
          listed += list.sorted.length;
          await expectWalks(list, step);
          for (const page of pages) await expectPage(list, toRequest(world.links, page));
        }
      }),
      { numRuns: 30, ...LIMIT },
    );
    // Filters that leave nothing would prove nothing.
    expect(listed / asked).toBeGreaterThan(0.5);
  });

  it("without a filter are what the contract says, for any order and page", async () => {
    await fc.assert(
      fc.asyncProperty(
        worldSeed,
        orders,
        fc.array(pageSeed, { minLength: 5, maxLength: 10 }),
        async (seed, orderBy, pages) => {
          const world = await store(test, types, seed);
          const list = await listOf(world, orderBy, { filter: {}, passes: () => true });
          for (const page of pages) await expectPage(list, toRequest(world.links, page));
          await expectWalks(list, 3);
        },
      ),
      { numRuns: 30, ...LIMIT },
    );
  });

  it("hold the links as they are", async () => {
    await fc.assert(
      fc.asyncProperty(worldSeed, async (seed) => {
        const { channel, links } = await store(test, types, seed);
        const page = await open().page({ channelId: channel.chatId, first: 100 });
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
                expireDate: link.expireDate,
                memberLimit: null,
                subscriptionPrice: null,
                budget: amount(link.cents),
                creatorId: link.creatorId,
                isBotCreated: link.isBotCreated,
                isRevoked: link.isRevoked,
                createdAt: link.createdAt,
                updatedAt: null,
              },
            ]),
          ),
        );
      }),
      { numRuns: 10, ...LIMIT },
    );
  });

  it("show no link twice and skip none while links are being added", async () => {
    await fc.assert(
      fc.asyncProperty(
        worldSeed,
        orders,
        fc.integer({ min: 1, max: 4 }),
        fc.boolean(),
        fc.array(fc.array(linkSeed, { maxLength: 3 }), { maxLength: 8 }),
        async (seed, orderBy, size, backward, additions) => {
          const { channel, links, tags } = await store(test, types, seed);
          const compare = toCompare(orderBy);
          const all = [...links];
          const waiting = [...additions];
          const shown = await walk(
            (args) => open().page({ channelId: channel.chatId, orderBy, ...args }),
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
      { numRuns: 30, ...LIMIT },
    );
  });

  it("of many tags are read at once, each as the contract says", async () => {
    await fc.assert(
      fc.asyncProperty(worldSeed, fc.array(pageSeed, { minLength: 2, maxLength: 6 }), async (seed, pages) => {
        const world = await store(test, types, seed);
        const compare = toCompare(null);
        const everything = await open().page({ channelId: world.channel.chatId, first: 100 });
        const cursors = new Map(everything.edges.map(({ node, cursor }) => [node.id, cursor]));
        const tags = (await createLoaders(test.database, callerOf()).tag.loadMany(
          world.tags.map(({ id }) => id),
        )) as Tag[];
        for (const page of pages) {
          const links = open();
          const request = toRequest(world.links, page);
          test.statements.length = 0;
          const lists = tags.map(
            (tag): ListUnderTest<InviteLink, NewLink> => ({
              read: (args) => links.pageOfTag(tag, args),
              sorted: world.links.filter((link) => link.tags.some(({ id }) => id === tag.id)).sort(compare),
              compare,
              cursorOf: ({ id }) => cursors.get(id) as string,
            }),
          );
          await Promise.all(lists.map((list) => list.read(readableArguments(request, cursors))));
          expect(test.statements.length).toBe(tags.length === 0 ? 0 : 1);
          await Promise.all(lists.map((list) => expectPage(list, request)));
          // One for the rows, one for the counts, and one for each of the sides that the rows cannot tell.
          expect(test.statements.length).toBeLessThanOrEqual(tags.length === 0 ? 0 : 4);
        }
      }),
      { numRuns: 30, ...LIMIT },
    );
  });

  it("of many tags asked in several ways at once do not mix", async () => {
    await fc.assert(
      fc.asyncProperty(worldSeed, fc.array(pageSeed, { minLength: 2, maxLength: 5 }), async (seed, pages) => {
        const world = await store(test, types, seed);
        const compare = toCompare(null);
        const everything = await open().page({ channelId: world.channel.chatId, first: 100 });
        const cursors = new Map(everything.edges.map(({ node, cursor }) => [node.id, cursor]));
        const tags = (await createLoaders(test.database, callerOf()).tag.loadMany(
          world.tags.map(({ id }) => id),
        )) as Tag[];
        const links = open();
        await Promise.all(
          pages.flatMap((page) =>
            tags.map((tag) =>
              expectPage<InviteLink, NewLink>(
                {
                  read: (args) => links.pageOfTag(tag, args),
                  sorted: world.links
                    .filter((link) => link.tags.some(({ id }) => id === tag.id))
                    .sort(compare),
                  compare,
                  cursorOf: ({ id }) => cursors.get(id) as string,
                },
                toRequest(world.links, page),
              ),
            ),
          ),
        );
      }),
      { numRuns: 20, ...LIMIT },
    );
  });
});

function readableArguments(
  { after, before, ...rest }: ModelRequest<NewLink>,
  cursors: Map<string, string>,
): PageArguments {
  return {
    ...rest,
    ...(after ? { after: cursors.get(after.id) } : {}),
    ...(before ? { before: cursors.get(before.id) } : {}),
  };
}

import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { TagTypeFacet } from "../../../../src/domain/links/counts/facets.js";
import { type LinkPage, Links } from "../../../../src/domain/links/query/linkQueries.js";
import { createLoaders } from "../../../../src/domain/loaders.js";
import { newId } from "../../../../src/domain/shared/ids.js";
import type { Tag } from "../../../../src/domain/tags/tag.js";
import {
  describeOnForms,
  openTestDatabase,
  type TestDatabase,
  USUAL_FORMS,
} from "../../../support/databases.js";
import { propertyInTime } from "../../../support/properties.js";
import { compareIds, compareTexts, modelFold } from "../../model.js";
import {
  amount,
  callerOf,
  type NewLink,
  newChatId,
  storeChannel,
  storeLinks,
  storeTags,
} from "../../support.js";
import {
  type FilterSeed,
  filterSeed,
  type NewType,
  type Passes,
  store,
  storeTypes,
  toFilter,
  type World,
  worldSeed,
} from "../worlds.js";

// The contract's words ──────────────────────────────────────────────────────────────────────────

interface ModelFacet {
  readonly type: string;
  readonly withoutTypeCount: number;
  readonly tags: readonly { readonly tag: string; readonly count: number }[];
}

const byName = (left: { name: string; id: string }, right: { name: string; id: string }) =>
  compareTexts(modelFold(left.name), modelFold(right.name)) || compareIds(left.id, right.id);

const modelFacets = ({ types, tags, links }: World, passes: Passes): ModelFacet[] =>
  types
    .filter(({ id }) => tags.some(({ typeId }) => typeId === id))
    .sort(byName)
    .map(({ id: type }) => {
      const counted = links.filter((link) => passes(link, type));
      return {
        type,
        withoutTypeCount: counted.filter((link) => !link.tags.some(({ typeId }) => typeId === type)).length,
        tags: tags
          .filter(({ typeId }) => typeId === type)
          .sort(byName)
          .map(({ id: tag }) => ({
            tag,
            count: counted.filter((link) => link.tags.some(({ id }) => id === tag)).length,
          })),
      };
    });

const modelTotals = ({ links }: World, passes: Passes) => ({
  budget: amount(links.filter((link) => passes(link)).reduce((sum, { cents }) => sum + cents, 0n)),
});

/** The links of a tag: the links that a group of its type with this tag alone would leave. */
const carrying =
  (tag: Tag): Passes =>
  (link, facetOf) =>
    facetOf === tag.typeId || link.tags.some(({ id }) => id === tag.id);

const plain = (facets: readonly TagTypeFacet[]): ModelFacet[] =>
  facets.map(({ type, withoutTypeCount, tags }) => ({
    type: type.id,
    withoutTypeCount,
    tags: tags.map(({ tag, count }) => ({ tag: tag.id, count })),
  }));

/** A filter that leaves all links, to be given tag groups. */
const ANY_LINK: FilterSeed = {
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

// The tests ─────────────────────────────────────────────────────────────────────────────────────

const newLink = (given: Pick<NewLink, "tags"> & Partial<NewLink>): NewLink => ({
  id: newId(),
  name: "Ad",
  createdAt: new Date(),
  cents: 0n,
  creatorId: 7,
  isRevoked: false,
  isBotCreated: true,
  expireDate: null,
  ...given,
});

await describeOnForms("facets and totals of links", USUAL_FORMS, (form) => {
  let test: TestDatabase;
  let types: NewType[];
  let stranger: string;

  const open = (chatIds: number[] | null = null) =>
    new Links(test.database, callerOf(chatIds), createLoaders(test.database, callerOf(chatIds)));

  beforeAll(async () => {
    test = await openTestDatabase(form);
    types = await storeTypes(test.database);
    // Links of another channel, with tags of the same types, must never be counted.
    const channel = await storeChannel(test.database);
    const tags = types.slice(0, 3).map(({ id: typeId }) => ({ id: newId(), typeId, name: "b" }));
    await storeTags(test.database, channel.id, tags);
    const links = [1n, 2n].map((cents) => newLink({ cents, tags }));
    await storeLinks(test.database, channel.id, links);
    stranger = links[0]?.id as string;
  });
  afterAll(() => test?.close());

  async function expectCounts(page: LinkPage, world: World, passes: Passes): Promise<void> {
    const [facets, totals] = await Promise.all([page.facets(), page.totals()]);
    expect(plain(facets)).toEqual(modelFacets(world, passes));
    expect(totals).toEqual(modelTotals(world, passes));
  }

  it("facets and totals are what the contract says, for any filter, on any page", async () => {
    let [asked, counted] = [0, 0];
    await fc.assert(
      propertyInTime(
        worldSeed,
        fc.array(fc.record({ filter: filterSeed, first: fc.nat(3) }), { minLength: 3, maxLength: 6 }),
        async (seed, queries) => {
          const world = await store(test.database, types, seed);
          for (const { filter: given, first } of queries) {
            const { filter, passes } = toFilter(world, given, stranger);
            const page = await open().page({ chatId: world.channel.chatId, filter, first });
            await expectCounts(page, world, passes);
            asked += 1;
            counted += world.links.filter((link) => passes(link)).length;
          }
        },
      ),
      { numRuns: 30 },
    );
    // If the filters left no links, the test would prove nothing.
    expect(counted / asked).toBeGreaterThan(0.5);
  });

  it("facets and totals under tag groups alone are what the contract says", async () => {
    const groups = fc.array(filterSeed, { minLength: 3, maxLength: 6, size: "max" });
    let [asked, widened] = [0, 0];
    await fc.assert(
      propertyInTime(worldSeed, groups, async (seed, filters) => {
        const world = await store(test.database, types, seed);
        for (const { tagGroups } of filters) {
          const { filter, passes } = toFilter(world, { ...ANY_LINK, tagGroups }, stranger);
          await expectCounts(await open().page({ chatId: world.channel.chatId, filter }), world, passes);
          asked += 1;
          if (world.links.some((link) => !passes(link) && types.some(({ id }) => passes(link, id))))
            widened += 1;
        }
      }),
      { numRuns: 30 },
    );
    // If no facet counted more links than the page has, the test would not prove that a type's own group is left out.
    expect(widened / asked).toBeGreaterThan(0.02);
  });

  it("facets and totals of many tags are what the contract says, and take as many statements as those of one tag", async () => {
    const pair = fc.tuple(worldSeed, worldSeed);
    await fc.assert(
      propertyInTime(pair, async (seeds) => {
        const worlds: World[] = [];
        for (const seed of seeds) worlds.push(await store(test.database, types, seed));
        const links = open();
        const tagIds = worlds.flatMap(({ tags }) => tags.map(({ id }) => id));
        const tags = (await createLoaders(test.database, callerOf()).tag.loadMany(tagIds)) as Tag[];
        const pages = await Promise.all(tags.map((tag) => links.pageOfTag(tag, { first: 2 })));
        test.statements.length = 0;
        await Promise.all(
          tags.map((tag, index) => {
            const world = worlds.find(({ channel }) => channel.id === tag.channelId) as World;
            return expectCounts(pages[index] as LinkPage, world, carrying(tag));
          }),
        );
        // One statement for the totals, one for the counts, one for the tags.
        expect(test.statements.length).toBe(tags.length === 0 ? 0 : 3);
      }),
      { numRuns: 30 },
    );
  });

  it("facets and totals take one statement each, and the facets one more for the tags, when they are first asked for", async () => {
    const channel = await storeChannel(test.database);
    const tags = types.map(({ id: typeId }) => ({ id: newId(), typeId, name: "b" }));
    await storeTags(test.database, channel.id, tags);
    await storeLinks(test.database, channel.id, [newLink({ tags })]);
    const tagGroups = tags.map(({ id, typeId }) => ({ tagTypeId: typeId, withoutType: true, tagIds: [id] }));
    for (const filter of [{}, { name: "Ad", tagGroups }]) {
      const page = await open().page({ chatId: channel.chatId, filter });
      test.statements.length = 0;
      await Promise.all([page.totals(), page.totals()]);
      await page.totals();
      expect(test.statements.length).toBe(1);
      const [facets, again] = await Promise.all([page.facets(), page.facets()]);
      expect(again).toEqual(facets);
      await page.facets();
      expect(test.statements.length).toBe(3);
      await Promise.all([page.totalCount(), page.totalCount()]);
      expect(test.statements.length).toBe(4);
    }
  });

  it("totals are exact, however large the budgets are", async () => {
    const channel = await storeChannel(test.database);
    const tag = { id: newId(), typeId: types[0]?.id as string, name: "b" };
    await storeTags(test.database, channel.id, [tag]);
    const links = Array.from({ length: 1_001 }, (_, index) =>
      newLink({ cents: index === 0 ? 7n : 99_999_999_999_999n, tags: [tag] }),
    );
    await storeLinks(test.database, channel.id, links);
    const [stored] = (await createLoaders(test.database, callerOf()).tag.loadMany([tag.id])) as [Tag];
    const pages = await Promise.all([
      open().page({ chatId: channel.chatId, first: 0 }),
      open().pageOfTag(stored, { first: 1 }),
    ]);
    for (const page of pages) expect(await page.totals()).toEqual({ budget: "999999999999990.07" });
  });

  it("a channel that is granted and not known yet has totals of 0.00 and no facets", async () => {
    const chatId = newChatId();
    const page = await open([chatId]).page({ chatId: chatId });
    expect([await page.totals(), await page.facets()]).toEqual([{ budget: "0.00" }, []]);
  });
});

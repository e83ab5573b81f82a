import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  CHANNEL,
  CREATIVE,
  GROUP,
  GROUP_TAG,
  PLATFORM,
  startTestServer,
  type TestServer,
  YOUTUBE,
} from "../../support/server.js";

let server: TestServer;
beforeAll(async () => {
  // The caches are off because they would save some of the statements that are counted.
  server = await startTestServer({ cache: false });
});
afterAll(() => server.stop());

const FACETS = `facets { type { id name } withoutTypeCount tags { count tag { id name channelId type { id name } } } }`;

interface Facet {
  readonly type: { readonly id: string; readonly name: string };
  readonly withoutTypeCount: number;
  readonly tags: readonly {
    readonly count: number;
    readonly tag: { readonly id: string; readonly name: string };
  }[];
}

interface Link {
  readonly budget: string;
  readonly tags: readonly { readonly id: string; readonly type: { readonly id: string } }[];
}

async function read(selection: string, variables: object = {}, token?: string) {
  const { data, errors } = await server.ask(
    `query ($filter: InviteLinkFilter) { inviteLinks(channelId: ${CHANNEL}, filter: $filter, first: 100) { ${selection} } }`,
    variables,
    token,
  );
  if (errors) throw new Error(JSON.stringify(errors));
  return data.inviteLinks;
}

const linksUnder = async (filter: object): Promise<Link[]> =>
  (await read("nodes { budget tags { id type { id } } }", { filter })).nodes;

/** Expects the counts of a facet to equal the counts of links that were read one by one. */
function expectCounts(facet: Facet, links: readonly Link[]): void {
  expect(facet.withoutTypeCount).toBe(
    links.filter(({ tags }) => tags.every(({ type }) => type.id !== facet.type.id)).length,
  );
  for (const { tag, count } of facet.tags)
    expect([tag.name, count]).toEqual([
      tag.name,
      links.filter(({ tags }) => tags.some(({ id }) => id === tag.id)).length,
    ]);
}

const sum = (links: readonly Link[]): string =>
  (links.reduce((cents, { budget }) => cents + Math.round(Number(budget) * 100), 0) / 100).toFixed(2);

describe("facets and totals over GraphQL", () => {
  test("facets list every tag type and tag of the channel by name and count the links of each", async () => {
    const { facets, totals, totalCount } = await read(`totalCount totals { budget } ${FACETS}`);
    const links = await linksUnder({});
    expect([totalCount, totals]).toEqual([links.length, { budget: sum(links) }]);
    expect(facets.map(({ type }: Facet) => type.name)).toEqual(["Buyer", "Creative", "Platform"]);
    for (const facet of facets) expectCounts(facet, links);

    const { data } = await server.ask(
      `{ tags(channelId: ${CHANNEL}, first: 100) { nodes { id name channelId type { id name } } } }`,
    );
    const listed = facets.flatMap((facet: Facet) => facet.tags.map(({ tag }) => tag));
    expect(listed).toHaveLength(data.tags.nodes.length);
    for (const facet of facets as Facet[]) {
      expect(facet.tags.map(({ tag }) => tag)).toEqual(
        data.tags.nodes.filter(
          (tag: { type: object }) => JSON.stringify(tag.type) === JSON.stringify(facet.type),
        ),
      );
    }
  });

  test("a tag type's facet ignores only the tag groups of its own type", async () => {
    const platform = [
      { tagTypeId: PLATFORM, tagIds: [YOUTUBE] },
      { tagTypeId: PLATFORM, withoutType: true },
    ];
    const creative = { tagTypeId: CREATIVE, withoutType: true };
    const filter = { isRevoked: false, tagGroups: [...platform, creative] };
    const { facets, totals } = await read(`totals { budget } ${FACETS}`, { filter });
    const [buyer, ofCreative, ofPlatform] = facets as [Facet, Facet, Facet];
    const matching = await linksUnder(filter);
    expect(totals).toEqual({ budget: sum(matching) });
    expectCounts(buyer, matching);
    const [withoutCreative, withoutPlatform] = [
      await linksUnder({ ...filter, tagGroups: platform }),
      await linksUnder({ ...filter, tagGroups: [creative] }),
    ];
    expectCounts(ofCreative, withoutCreative);
    expectCounts(ofPlatform, withoutPlatform);
    expect(Math.min(withoutCreative.length, withoutPlatform.length)).toBeGreaterThan(matching.length);
    expect(matching.length).toBeGreaterThan(0);
  });

  test("a tag's links have the facet of its type over the channel, and other facets and totals over its links", async () => {
    const { data } = await server.ask(
      `{ tag(id: "${YOUTUBE}") { type { id } inviteLinks(first: 1) { totalCount totals { budget } ${FACETS} } } }`,
    );
    const { type, inviteLinks } = data.tag;
    const [own, all] = [
      await linksUnder({ tagGroups: [{ tagTypeId: PLATFORM, tagIds: [YOUTUBE] }] }),
      await linksUnder({}),
    ];
    expect([inviteLinks.totalCount, inviteLinks.totals]).toEqual([own.length, { budget: sum(own) }]);
    for (const facet of inviteLinks.facets) expectCounts(facet, facet.type.id === type.id ? all : own);
    expect(own.length).toBeLessThan(all.length);
  });

  test("facets under a filter that leaves no links still list every tag", async () => {
    const { facets, totals } = await read(`totals { budget } ${FACETS}`, { filter: { ids: [] } });
    expect(totals).toEqual({ budget: "0.00" });
    expect(facets.length).toBeGreaterThan(0);
    for (const facet of facets) expectCounts(facet, []);
  });
});

describe("statements for facets and totals", () => {
  const channelPage = (more: string, first = 5) =>
    `{ inviteLinks(channelId: ${CHANNEL}, first: ${first}) { nodes { id } ${more} } }`;
  const tagsPage = (more: string, first: number) =>
    `{ tags(channelId: ${CHANNEL}, first: ${first}) { nodes { inviteLinks(first: 1) { nodes { id } ${more} } } } }`;

  test("totals, counts and facets are computed only if they are selected", async () => {
    const plain = await server.statementsOf(channelPage(""));
    expect(plain.filter((sql) => /count\(|sum\(/.test(sql))).toEqual([]);
    expect(await server.statementsOf(channelPage("totals { budget }"))).toHaveLength(plain.length + 1);
    // One statement reads the counts, and one reads the tags with their types.
    expect(await server.statementsOf(channelPage(FACETS))).toHaveLength(plain.length + 2);
    expect(
      await server.statementsOf(
        channelPage(
          `a: totals { budget } b: totals { budget } ${FACETS} again: ${FACETS} c: totalCount d: totalCount`,
        ),
      ),
    ).toHaveLength(plain.length + 4);
  });

  test.each([
    ["links", channelPage, 4],
    ["tags", tagsPage, 4],
  ] as const)("facets and totals take as many statements for 2 %s as for 20", async (_what, page, more) => {
    const [few, many, plain] = [
      await server.statementsOf(page(`totalCount totals { budget } ${FACETS}`, 2)),
      await server.statementsOf(page(`totalCount totals { budget } ${FACETS}`, 20)),
      await server.statementsOf(page("", 20)),
    ];
    expect([few.length, many.length]).toEqual([plain.length + more, plain.length + more]);
  });
});

describe("access to facets and totals", () => {
  test("a token limited to one channel sees only that channel's facets and totals", async () => {
    const token = await server.makeToken({ role: "VIEWER", channelIds: [CHANNEL] });
    const everything = `totalCount totals { budget } ${FACETS}`;
    expect(await read(everything, {}, token)).toEqual(await read(everything));
    const { facets } = await read(everything, {}, token);
    for (const facet of facets) for (const { tag } of facet.tags) expect(tag.channelId).toBe(CHANNEL);

    const ask = (query: string) => server.ask(query, {}, token);
    expect(
      (await ask(`{ inviteLinks(channelId: ${GROUP}) { ${everything} } }`)).errors?.[0]?.extensions.code,
    ).toBe("FORBIDDEN");
    expect((await ask(`{ tag(id: "${GROUP_TAG}") { inviteLinks { ${everything} } } }`)).data).toEqual({
      tag: null,
    });
    expect(
      (await server.ask(`{ tag(id: "${GROUP_TAG}") { inviteLinks { totalCount } } }`)).data.tag,
    ).not.toBeNull();
  });

  test("a granted chat without a channel has no facets and totals of zero", async () => {
    const chatId = -1_002_002_002_002;
    const token = await server.makeToken({ role: "VIEWER", channelIds: [chatId] });
    const { data } = await server.ask(
      `{ inviteLinks(channelId: ${chatId}) { totalCount totals { budget } ${FACETS} } }`,
      {},
      token,
    );
    expect(data.inviteLinks).toEqual({ totalCount: 0, totals: { budget: "0.00" }, facets: [] });
  });
});

describe("the cost of facets and totals", () => {
  const tags = (inside: string) => `{ tags(channelId: ${CHANNEL}, first: 100) { nodes { name ${inside} } } }`;
  test.each([
    [
      "a page of links with tags, facets and totals",
      `{ inviteLinks(channelId: ${CHANNEL}, first: 100) {
        totalCount totals { budget } ${FACETS} pageInfo { hasNextPage endCursor }
        nodes { id name url budget createdAt tags { id name color type { name } } } } }`,
    ],
    ["the totals of a page of tags", tags("inviteLinks(first: 10) { totals { budget } }")],
    ["the counts and totals of a page of tags", tags("inviteLinks { totalCount totals { budget } }")],
    [
      "the facets of a page of tags",
      tags("inviteLinks(first: 1) { facets { withoutTypeCount tags { count } } }"),
    ],
  ])("the limit on cost allows %s", async (_what, query) => {
    expect((await server.ask(query)).errors).toBeUndefined();
  });

  test.each([
    ["facets for all links of many tags", tags("inviteLinks(first: 10) { facets { withoutTypeCount } }")],
    [
      "facets in facets",
      tags(`inviteLinks(first: 1) { facets { tags { tag { inviteLinks { ${FACETS} } } } } }`),
    ],
  ])("the limit on cost refuses %s", async (_what, query) => {
    expect((await server.ask(query)).errors?.[0]?.extensions.code).toBe("QUERY_TOO_COSTLY");
  });

  test("the cost of an operation includes its tag groups, which are slow to combine", async () => {
    const codeWithAliases = async (aliases: number) => {
      const ask = (_: unknown, index: number) =>
        `a${index}: inviteLinks(channelId: ${CHANNEL}, first: 0, filter: { tagGroups: $groups }) { totalCount }`;
      const fields = Array.from({ length: aliases }, ask).join(" ");
      const groups = Array(50).fill({ tagTypeId: PLATFORM, withoutType: true });
      const { errors } = await server.ask(`query ($groups: [TagGroupFilter!]) { ${fields} }`, { groups });
      return errors?.[0]?.extensions.code;
    };
    expect(await codeWithAliases(4)).toBeUndefined();
    expect(await codeWithAliases(5)).toBe("QUERY_TOO_COSTLY");
  });
});

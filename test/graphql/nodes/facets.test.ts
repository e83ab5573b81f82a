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
  // What is remembered would take statements off those that are counted.
  server = await startTestServer({ cache: false });
  // The token's first use is noted once a minute, beside the request.
  await server.ask("{ viewer { name } }");
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

/** What is counted of links that were read one by one. */
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

describe("facets and totals, over the wire", () => {
  test("list every type and tag of the channel by name, and count its links", async () => {
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

  test("leave a type's own groups out of its facet, and no other's", async () => {
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

  test("of a tag: its own type's over the channel, others' and totals over the links that carry it", async () => {
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

  test("a filter that leaves nothing still lists every tag", async () => {
    const { facets, totals } = await read(`totals { budget } ${FACETS}`, { filter: { ids: [] } });
    expect(totals).toEqual({ budget: "0.00" });
    expect(facets.length).toBeGreaterThan(0);
    for (const facet of facets) expectCounts(facet, []);
  });
});

describe("statements", () => {
  const channelPage = (more: string, first = 5) =>
    `{ inviteLinks(channelId: ${CHANNEL}, first: ${first}) { nodes { id } ${more} } }`;
  const tagsPage = (more: string, first: number) =>
    `{ tags(channelId: ${CHANNEL}, first: ${first}) { nodes { inviteLinks(first: 1) { nodes { id } ${more} } } } }`;

  test("nothing is summed up or counted that is not asked for", async () => {
    const plain = await server.statementsOf(channelPage(""));
    expect(plain.filter((sql) => /count\(|sum\(/.test(sql))).toEqual([]);
    expect(await server.statementsOf(channelPage("totals { budget }"))).toHaveLength(plain.length + 1);
    // The counts, and the tags with their types.
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
  ] as const)("are as many for 2 %s as for 20", async (_what, page, more) => {
    const [few, many, plain] = [
      await server.statementsOf(page(`totalCount totals { budget } ${FACETS}`, 2)),
      await server.statementsOf(page(`totalCount totals { budget } ${FACETS}`, 20)),
      await server.statementsOf(page("", 20)),
    ];
    expect([few.length, many.length]).toEqual([plain.length + more, plain.length + more]);
  });
});

describe("access", () => {
  test("a token limited to one channel is shown that channel's counts alone", async () => {
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

  test("a granted channel that is not known yet has no facets, and totals of nothing", async () => {
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

describe("the limit of cost", () => {
  const tags = (inside: string) => `{ tags(channelId: ${CHANNEL}, first: 100) { nodes { name ${inside} } } }`;
  test.each([
    [
      "a page of links with tags, facets and totals",
      `{ inviteLinks(channelId: ${CHANNEL}, first: 100) {
        totalCount totals { budget } ${FACETS} pageInfo { hasNextPage endCursor }
        nodes { id name url budget createdAt tags { id name color type { name } } } } }`,
    ],
    ["the totals of a page of tags", tags("inviteLinks(first: 10) { totals { budget } }")],
    ["their counts as well", tags("inviteLinks { totalCount totals { budget } }")],
    [
      "the facets of a page of tags",
      tags("inviteLinks(first: 1) { facets { withoutTypeCount tags { count } } }"),
    ],
  ])("lets %s pass", async (_what, query) => {
    expect((await server.ask(query)).errors).toBeUndefined();
  });

  test.each([
    ["facets for all links of many tags", tags("inviteLinks(first: 10) { facets { withoutTypeCount } }")],
    [
      "facets in facets",
      tags(`inviteLinks(first: 1) { facets { tags { tag { inviteLinks { ${FACETS} } } } } }`),
    ],
  ])("does not let %s pass", async (_what, query) => {
    expect((await server.ask(query)).errors?.[0]?.extensions.code).toBe("QUERY_TOO_COSTLY");
  });

  test("counts the filter's groups, which take long to look for together", async () => {
    const asking = async (aliases: number) => {
      const ask = (_: unknown, index: number) =>
        `a${index}: inviteLinks(channelId: ${CHANNEL}, first: 0, filter: { tagGroups: $groups }) { totalCount }`;
      const fields = Array.from({ length: aliases }, ask).join(" ");
      const groups = Array(50).fill({ tagTypeId: PLATFORM, withoutType: true });
      const { errors } = await server.ask(`query ($groups: [TagGroupFilter!]) { ${fields} }`, { groups });
      return errors?.[0]?.extensions.code;
    };
    expect(await asking(4)).toBeUndefined();
    expect(await asking(5)).toBe("QUERY_TOO_COSTLY");
  });
});

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  CHANNEL,
  CREATIVE,
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

describe("the number of a request's statements", () => {
  test.each([
    [
      "links with tags, types and channel",
      (n: number) => `{ inviteLinks(channelId: ${CHANNEL}, first: ${n}) {
        nodes { name channel { title } tags { name type { name } } } } }`,
      5,
    ],
    [
      "links with all fields of the page",
      (n: number) => `{ inviteLinks(channelId: ${CHANNEL}, first: ${n}) {
        totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { id tags { id } } } } }`,
      5,
    ],
    [
      "tags with their links and the links' tags",
      (n: number) => `{ tags(channelId: ${CHANNEL}, first: ${n}) {
        nodes { name type { name } inviteLinks(first: 3) { totalCount pageInfo { hasNextPage } nodes { name channel { title } tags { name type { name } } } } } } }`,
      8,
    ],
    [
      "tags with two different selections of their links",
      (n: number) => `{ tags(channelId: ${CHANNEL}, first: ${n}) {
        nodes { a: inviteLinks(first: 1) { nodes { id } } b: inviteLinks(last: 2) { nodes { id } } } } }`,
      5,
    ],
    ["channels", (n: number) => `{ channels(first: ${n}) { nodes { title } } }`, 2],
  ])("a request for %s takes no more statements for 20 rows than for 2", async (_what, query, atMost) => {
    const [few, many] = [await server.statementsOf(query(2)), await server.statementsOf(query(20))];
    // The longer list may take fewer statements because it has already loaded some of the deeper rows.
    expect(many.length).toBeLessThanOrEqual(few.length);
    expect(few.length).toBeLessThanOrEqual(atMost);
  });

  test("nodes of several types are read by one statement for each type", async () => {
    const { data } = await server.ask(
      `{ inviteLinks(channelId: ${CHANNEL}, first: 20) { nodes { id tags { id } } } }`,
    );
    const ids = data.inviteLinks.nodes.flatMap((node: { id: string; tags: { id: string }[] }) => [
      node.id,
      ...node.tags.map(({ id }) => id),
    ]);
    const query = `query ($ids: [ID!]!) { nodes(ids: $ids) { id } }`;
    expect(await server.statementsOf(query, { ids })).toHaveLength(3);
    expect((await server.ask(query, { ids })).data.nodes.map(({ id }: { id: string }) => id)).toEqual(ids);
  });

  test("one object that is requested in several ways gives the same result each time", async () => {
    const types = "__typename ... on InviteLink { url tags { id } } ... on Tag { color type { id } }";
    const { data } = await server.ask(
      `{ channels { nodes { id } } tagTypes { id }
        inviteLinks(channelId: ${CHANNEL}, first: 1) { nodes { id tags { id } } } }`,
    );
    const [link] = data.inviteLinks.nodes;
    for (const { id } of [link, link.tags[0], data.channels.nodes[0], data.tagTypes[0]]) {
      const query = `query ($id: ID!) {
        one: node(id: $id) { id ${types} } many: nodes(ids: [$id, $id]) { id ${types} } again: node(id: $id) { id ${types} } }`;
      const { one, many, again } = (await server.ask(query, { id })).data;
      expect(one.id).toBe(id);
      expect([...many, again]).toEqual([one, one, one]);
    }
  });

  test("counting takes a statement only if the count is selected", async () => {
    const plain = await server.statementsOf(`{ inviteLinks(channelId: ${CHANNEL}) { nodes { id } } }`);
    expect(plain.filter((sql) => /count\(/.test(sql))).toEqual([]);
    expect(
      await server.statementsOf(`{ inviteLinks(channelId: ${CHANNEL}) { nodes { id } totalCount } }`),
    ).toHaveLength(plain.length + 1);
  });

  test.each([
    ["links", "inviteLinks", "links_page"],
    ["links of tags", "tags", "tag_links_page", "nodes { inviteLinks", "}"],
    ["members of links", "inviteLinks", "link_members_page", "nodes { members", "}"],
    ["tags", "tags", "tags_page"],
    ["member events", "memberEvents", "member_events_page"],
    ["requests to join", "joinRequests", "join_requests_page"],
    ["batches of links", "inviteLinkBatches", "link_batches_page"],
  ])(
    "a request for nothing but the number of %s reads no page of them",
    async (_what, field, statement, within = "", end = "") => {
      const isRead = async (selection: string): Promise<boolean> => {
        const inner = within === "" ? selection : `{ ${within} ${selection} ${end}}`;
        const sent = await server.statementsOf(`{ ${field}(channelId: ${CHANNEL}) ${inner} }`);
        return sent.some((sql) => sql.includes(`/* ${statement} */`));
      };
      expect(await isRead("{ totalCount __typename }")).toBe(false);
      for (const rows of [
        "nodes { id }",
        "edges { cursor }",
        "pageInfo { hasNextPage }",
        "...{ nodes { id } }",
      ])
        expect([rows, await isRead(`{ totalCount ${rows} }`)]).toEqual([rows, true]);
    },
  );

  test("a wrong cursor is refused also where no page is read", async () => {
    const { errors } = await server.ask(
      `{ inviteLinks(channelId: ${CHANNEL}, after: "wrong") { totalCount } }`,
    );
    expect(errors?.[0]?.extensions["code"]).toBe("BAD_USER_INPUT");
  });
});

describe("the filter by tag groups over GraphQL", () => {
  const names = async (tagGroups: object[]) => {
    const { data, errors } = await server.ask(
      `query ($filter: InviteLinkFilter) { inviteLinks(channelId: ${CHANNEL}, first: 100, filter: $filter) {
        totalCount nodes { name tags { id type { id } } } } }`,
      { filter: { tagGroups } },
    );
    if (errors) throw new Error(JSON.stringify(errors));
    expect(data.inviteLinks.totalCount).toBe(data.inviteLinks.nodes.length);
    return data.inviteLinks.nodes as { name: string; tags: { id: string; type: { id: string } }[] }[];
  };
  const typeId = Buffer.from(`TagType:${PLATFORM}`).toString("base64");
  const creativeId = Buffer.from(`TagType:${CREATIVE}`).toString("base64");
  const youtubeId = Buffer.from(`Tag:${YOUTUBE}`).toString("base64");

  test("tag groups accept global and bare ids, a repeated group, and groups of two types", async () => {
    const all = await names([]);
    const youtube = all.filter(({ tags }) => tags.some(({ id }) => id === youtubeId));
    const without = all.filter(({ tags }) => !tags.some(({ type }) => type.id === creativeId));
    expect(await names([{ tagTypeId: PLATFORM, tagIds: [YOUTUBE] }])).toEqual(youtube);
    expect(
      await names([
        { tagTypeId: typeId, tagIds: [] },
        { tagTypeId: PLATFORM, tagIds: [youtubeId] },
      ]),
    ).toEqual(youtube);
    expect(await names([{ tagTypeId: creativeId, withoutType: true }])).toEqual(without);
    expect(
      await names([
        { tagTypeId: CREATIVE, withoutType: true },
        { tagTypeId: PLATFORM, tagIds: [YOUTUBE] },
      ]),
    ).toEqual(youtube.filter((link) => without.includes(link)));
    expect(youtube.length * without.length).toBeGreaterThan(0);
  });

  test.each([
    ["a tag of another type", { tagTypeId: CREATIVE, tagIds: [YOUTUBE] }],
    ["a tag's global id as the id of a tag type", { tagTypeId: youtubeId }],
    ["an id that cannot be read", { tagTypeId: "nonsense" }],
    ["a missing tag type", { tagTypeId: YOUTUBE, withoutType: true }],
    ["a missing tag", { tagTypeId: PLATFORM, tagIds: ["01991000-0000-7000-8000-00000000ffff"] }],
  ])("a tag group with %s is refused with BAD_USER_INPUT", async (_what, group) => {
    const { errors, data } = await server.ask(
      `query ($group: TagGroupFilter!) { inviteLinks(channelId: ${CHANNEL}, filter: { tagGroups: [$group] }) { totalCount } }`,
      { group },
    );
    expect(data).toBeNull();
    expect(errors?.[0]?.extensions).toMatchObject({
      code: "BAD_USER_INPUT",
      fieldErrors: [{ field: expect.stringContaining("filter.tagGroups.0") }],
    });
  });
});

describe("scalars", () => {
  const asTelegramId = (text: string) => server.ask(`{ channel(telegramId: ${text}) { telegramId } }`);
  const asVariable = (id: unknown) =>
    server.ask(`query ($id: TelegramID!) { channel(telegramId: $id) { telegramId } }`, { id });

  test("a chat id is read without loss from an integer or from its decimal string", async () => {
    for (const answer of await Promise.all([
      asTelegramId(String(CHANNEL)),
      asTelegramId(`"${CHANNEL}"`),
      asVariable(CHANNEL),
      asVariable(String(CHANNEL)),
    ])) {
      expect(answer.data).toEqual({ channel: { telegramId: CHANNEL } });
    }
    const most = 2 ** 52 - 1;
    expect((await asTelegramId(String(most))).data).toEqual({ channel: null });
    expect((await asTelegramId(`-${most}`)).data).toEqual({ channel: null });
  });

  test.each([
    "4503599627370496",
    "-4503599627370496",
    "9007199254740993",
    "99999999999999999999999",
    '"1.0"',
    '""',
    '" 1"',
    "1.5",
    "true",
    "{}",
    "[]",
    '"0x10"',
  ])("the literal %s is refused as a chat id", async (text) => {
    const { errors, data } = await asTelegramId(text);
    expect([data, errors?.[0]?.extensions.code]).toEqual([undefined, "BAD_USER_INPUT"]);
  });

  test.each([1.5, 2 ** 53, 2 ** 52, -(2 ** 52), "1e3", null, true, {}, [1, 2]])(
    "the variable %j is refused as a chat id",
    async (id) => {
      const { errors } = await asVariable(id);
      expect(errors?.[0]?.extensions.code).toBe("BAD_USER_INPUT");
    },
  );

  const since = (text: unknown) =>
    server.ask(
      `query ($from: DateTime) { inviteLinks(channelId: ${CHANNEL}, filter: { createdFrom: $from }) { totalCount } }`,
      { from: text },
    );

  test.each([
    "2026-11-21",
    "2026-11-21T10:00:00",
    "2026-02-30T00:00:00Z",
    "2025-02-29T00:00:00Z",
    "2026-11-21T24:00:00Z",
    "2026-13-01T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+01:00",
    "9999-12-31T23:59:59-01:00",
    "2026-11-21T10:00:60Z",
    "2026-11-21T10:00:00+24:00",
    "+012026-01-01T00:00:00Z",
    5,
    "",
  ])("%j is refused as a DateTime", async (text) => {
    expect((await since(text)).errors?.[0]?.extensions.code).toBe("BAD_USER_INPUT");
  });

  test.each([
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999Z",
    "2026-11-21t10:00:00z",
    "2024-02-29T12:00:00.5+14:00",
    null,
  ])("%j is accepted as a DateTime", async (text) => {
    expect((await since(text)).errors).toBeUndefined();
  });
});

describe("ids", () => {
  test("node accepts only global ids, and fields of a known type accept bare ids as well", async () => {
    expect((await server.ask(`{ node(id: "${YOUTUBE}") { id } }`)).errors?.[0]?.extensions.code).toBe(
      "BAD_USER_INPUT",
    );
    expect((await server.ask(`{ tag(id: "${YOUTUBE.toUpperCase()}") { name } }`)).data).toEqual({
      tag: { name: "YouTube" },
    });
    const wrong = await server.ask(
      `{ tag(id: "${Buffer.from(`TagType:${PLATFORM}`).toString("base64")}") { name } }`,
    );
    expect(wrong.errors?.[0]).toMatchObject({
      message: expect.stringContaining("TagType"),
      extensions: { code: "BAD_USER_INPUT" },
    });
    expect(wrong.data).toEqual({ tag: null });
  });

  test("inviteLink finds a link only in the given channel", async () => {
    const { data } = await server.ask(`{ inviteLinks(channelId: ${CHANNEL}, first: 1) { nodes { id } } }`);
    const { id } = data.inviteLinks.nodes[0];
    const found = await server.ask(
      `query ($id: ID!) { a: inviteLink(id: $id) { id } b: inviteLink(id: $id, channelId: ${CHANNEL}) { id } c: inviteLink(id: $id, channelId: -5) { id } }`,
      { id },
    );
    expect(found.data).toEqual({ a: { id }, b: { id }, c: null });
  });
});

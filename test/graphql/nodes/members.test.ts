import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newId } from "../../../src/domain/shared/ids.js";
import { type Event, type Request, type Stay, storeMembers } from "../../domain/activity/history.js";
import {
  type NewLink,
  newChatId,
  storeChannel,
  storeLinks,
  storeTags,
  storeTagType,
} from "../../domain/support.js";
import { startTestServer, type TestServer } from "../../support/server.js";
import { fieldsOf, globalId, MISSING_ID, mutating } from "../mutations/mutating.js";

const CHAT = newChatId();
const OTHER_CHAT = newChatId();
const UNKNOWN_CHAT = newChatId();
const LINKS = 40;

let server: TestServer;
let mutate: ReturnType<typeof mutating>;
let viewer: string;
let typeId: string;
const links: NewLink[] = [];
const stays: Stay[] = [];
const foreign = { event: newId(), membership: newId(), link: newId(), channel: newId() };
const own = { event: newId(), channel: newId(), tag: newId() };

const linkOf = (name: string, id = newId()): NewLink => ({
  id,
  name,
  createdAt: new Date("2026-10-24T23:30:00Z"),
  cents: 1_000n,
  creatorId: null,
  isRevoked: false,
  isBotCreated: true,
  expireDate: null,
  tags: [],
});

const stayOf = (linkId: string, id: string, userId: number): Stay => ({
  id,
  userId,
  linkId,
  joinedAt: Date.parse("2026-10-25T10:00:00Z"),
  leftAt: null,
  isRemoval: false,
  isRejoin: false,
  isFirstByLink: true,
});

const eventOf = (id: string, linkId: string): Event => ({
  id,
  sequence: 1,
  kind: "JOINED",
  userId: 1,
  linkId,
  at: Date.parse("2026-10-25T10:00:00Z"),
});

beforeAll(async () => {
  server = await startTestServer({}, undefined, async (database) => {
    typeId = await storeTagType(database, "Source");
    await storeChannel(database, CHAT, own.channel);
    await storeChannel(database, OTHER_CHAT, foreign.channel);
    const tag = { id: own.tag, typeId, name: "YouTube" };
    await storeTags(database, own.channel, [tag]);
    links.push(...Array.from({ length: LINKS }, (_, index) => ({ ...linkOf(`Ad ${index}`), tags: [tag] })));
    await storeLinks(database, own.channel, links);
    await storeLinks(database, foreign.channel, [linkOf("Foreign", foreign.link)]);
    stays.push(...links.slice(1).map(({ id }, index) => stayOf(id, newId(), index + 1)));
    const requests: Request[] = [
      { userId: 7, linkId: null, at: Date.parse("2026-10-25T09:00:00Z"), isPending: true },
    ];
    await storeMembers(database, own.channel, stays, requests, [eventOf(own.event, links[1]?.id as string)]);
    await storeMembers(
      database,
      foreign.channel,
      [stayOf(foreign.link, foreign.membership, 1)],
      [],
      [eventOf(foreign.event, foreign.link)],
    );
    await database.prisma.channelActivity.update({
      where: { channelId: own.channel },
      data: {
        since: new Date("2026-10-01T00:00:00Z"),
        lastUpdateAt: new Date("2026-10-25T10:00:01Z"),
        memberCount: 130,
        memberCountAt: new Date(),
        memberCountBalance: 39,
        firstMemberCount: 100,
        firstMemberCountBalance: 12,
      },
    });
    const gap = { botId: 1n, reason: "NOT_RECEIVING" as const };
    await database.prisma.coverageGap.createMany({
      data: [
        { ...gap, id: newId(), channelId: null, fromAt: new Date("2026-10-02T00:00:00Z"), toAt: null },
        {
          ...gap,
          id: newId(),
          channelId: own.channel,
          reason: "BOT_ABSENT",
          fromAt: new Date("2026-10-03T00:00:00Z"),
          toAt: new Date("2026-10-04T00:00:00Z"),
        },
        {
          ...gap,
          id: newId(),
          channelId: foreign.channel,
          fromAt: new Date("2026-10-05T00:00:00Z"),
          toAt: null,
        },
      ],
    });
  });
  mutate = mutating(server);
  viewer = await server.makeToken({ role: "VIEWER", channelIds: [CHAT, UNKNOWN_CHAT] });
});
afterAll(() => server?.stop());

const SPAN = 'from: "2026-10-01T00:00:00Z", to: "2026-11-01T00:00:00Z"';

const codesOf = async (query: string, token = server.token) =>
  (await server.ask(query, {}, token)).errors?.map(({ extensions }) => extensions.code);

describe("statements", () => {
  /** The statements that read members, for a page of so many links. */
  const readingMembers = async (selection: string, first: number) => {
    const sent = await server.statementsOf(
      `{ inviteLinks(channelId: ${CHAT}, first: ${first}) { nodes { ${selection} } } }`,
    );
    return sent.filter((text) => /link_activity|_quarter|membership|member_event/.test(text));
  };

  test.each([
    ["the numbers", "stats { joinCount costPerJoin }", 1],
    ["the numbers and the retention", "stats { joinCount retention { rate } }", 2],
    ["the numbers and a series", `stats { joinCount series(${SPAN}) { joinCount } }`, 2],
    ["the members", "members(first: 3) { nodes { userId } }", 1],
    [
      "the members, their number and the numbers",
      "stats { joinCount } members { totalCount nodes { userId } }",
      2,
    ],
    ["the members with their links", "members { nodes { inviteLink { name } } }", 1],
  ])(
    "%s of a page of links take as many statements for 2 links as for 40",
    async (_, selection, expected) => {
      expect(await readingMembers(selection, 2)).toHaveLength(expected);
      expect(await readingMembers(selection, LINKS)).toHaveLength(expected);
    },
  );

  test("members who left are not looked for by a link whose counters know of none, nor are members of an empty link", async () => {
    const sent = await readingMembers("members(isActive: false) { totalCount nodes { userId } }", LINKS);
    expect(sent.filter((text) => text.includes("membership"))).toEqual([]);
    const pages = `{ inviteLinks(channelId: ${CHAT}, first: ${LINKS}) { nodes {
      here: members(isActive: true) { totalCount nodes { userId } pageInfo { hasNextPage } }
      gone: members(isActive: false) { totalCount nodes { userId } pageInfo { hasPreviousPage } } } } }`;
    const { data } = await server.ask(pages);
    const counts = data.inviteLinks.nodes.map(
      ({ here, gone }: Record<string, { totalCount: number; nodes: [] }>) => [
        here?.totalCount,
        here?.nodes.length,
        gone?.totalCount,
        gone?.nodes.length,
      ],
    );
    expect(counts.filter(([here]: number[]) => here === 1)).toEqual(Array(LINKS - 1).fill([1, 1, 0, 0]));
    expect(
      await codesOf(`{ inviteLinks(channelId: ${CHAT}) { nodes {
      members(isActive: false, after: "nothing") { totalCount } } } }`),
    ).toContain("BAD_USER_INPUT");
  });

  test("the number of all events is known without counting them", async () => {
    const sent = await server.statementsOf(`{ memberEvents(channelId: ${CHAT}) { totalCount } }`);
    expect(sent.filter((text) => text.includes("count(*)"))).toEqual([]);
    for (const [chat, count] of [
      [CHAT, 1],
      [UNKNOWN_CHAT, 0],
    ]) {
      const { data } = await server.ask(`{ memberEvents(channelId: ${chat}, filter: {}) { totalCount } }`);
      expect(data.memberEvents.totalCount).toBe(count);
    }
  });

  test("a page that shows no numbers of members reads nothing of members", async () => {
    expect(await readingMembers("id name url budget externalId tags { id }", LINKS)).toEqual([]);
    const sent = await server.statementsOf(
      `{ inviteLinks(channelId: ${CHAT}) { totalCount totals { budget } nodes { id } } channel(telegramId: ${CHAT}) { title timeZone isPublic } }`,
    );
    expect(sent.filter((text) => /link_activity|channel_activity|_quarter|membership/.test(text))).toEqual(
      [],
    );
  });

  test("the totals of members take one statement, and the budget beside them one more", async () => {
    const sent = await server.statementsOf(
      `{ inviteLinks(channelId: ${CHAT}, first: 1) { totals { budget joinCount leaveCount costPerJoin costPerActiveMember } } }`,
    );
    expect(sent.filter((text) => /link_activity|_quarter/.test(text))).toHaveLength(1);
  });

  test("the activity and the coverage of all channels are read together", async () => {
    const sent = await server.statementsOf(
      `{ channels { nodes { memberCount activity { joinCount series(${SPAN}) { joinCount } } coverage { drift gaps { from } } } } }`,
    );
    expect(sent.filter((text) => /channel_activity|channel_quarter|coverage_gap/.test(text))).toHaveLength(3);
  });
});

describe("access to members", () => {
  test("a token limited to one channel finds no event and no membership of another channel", async () => {
    const query = `query ($event: ID!, $membership: ID!) { nodes(ids: [$event, $membership]) { __typename id } }`;
    const idsOf = (event: string, membership: string) => ({
      event: globalId("MemberEvent", event),
      membership: globalId("Membership", membership),
    });
    const hidden = await server.ask(query, idsOf(foreign.event, foreign.membership), viewer);
    const missing = await server.ask(query, idsOf(MISSING_ID, MISSING_ID), viewer);
    expect(hidden.data).toEqual({ nodes: [null, null] });
    expect(missing.data).toEqual(hidden.data);
    const shown = await server.ask(query, idsOf(foreign.event, foreign.membership));
    expect(shown.data.nodes.map(({ __typename }: { __typename: string }) => __typename)).toEqual([
      "MemberEvent",
      "Membership",
    ]);
    const mine = await server.ask(query, idsOf(own.event, stays[0]?.id as string), viewer);
    expect(mine.data.nodes).toHaveLength(2);
    expect(mine.data.nodes).not.toContain(null);
  });

  test("the events of another channel are refused, and a link of another channel matches no event", async () => {
    expect(await codesOf(`{ memberEvents(channelId: ${OTHER_CHAT}) { totalCount } }`, viewer)).toEqual([
      "FORBIDDEN",
    ]);
    const { data } = await server.ask(
      `query ($id: ID!) { memberEvents(channelId: ${CHAT}, filter: { inviteLinkIds: [$id] }) { totalCount nodes { id } } }`,
      { id: foreign.link },
      viewer,
    );
    expect(data.memberEvents).toEqual({ totalCount: 0, nodes: [] });
  });

  test("a granted chat without a channel has no events, zero totals and empty series", async () => {
    const { data, errors } = await server.ask(
      `{
        memberEvents(channelId: ${UNKNOWN_CHAT}) { totalCount nodes { id } }
        inviteLinks(channelId: ${UNKNOWN_CHAT}) {
          totals { budget joinCount costPerJoin retention { days joinCount rate } }
          groups(by: CREATOR) { linkCount }
          series(from: "2026-10-01T00:00:00Z", to: "2026-10-02T00:00:00Z") { joinCount activeCount }
        }
      }`,
      {},
      viewer,
    );
    expect(errors).toBeUndefined();
    expect(data.memberEvents).toEqual({ totalCount: 0, nodes: [] });
    expect(data.inviteLinks).toEqual({
      totals: {
        budget: "0.00",
        joinCount: 0,
        costPerJoin: null,
        retention: [1, 3, 7, 14, 30].map((days) => ({ days, joinCount: 0, rate: null })),
      },
      groups: [],
      series: [{ joinCount: 0, activeCount: 0 }],
    });
  });
});

describe("arguments", () => {
  test.each([
    ["an unknown time zone", `series(${SPAN}, timeZone: "Mars/Olympus") { from }`],
    [
      "a span that ends before it begins",
      'series(from: "2026-10-02T00:00:00Z", to: "2026-10-01T00:00:00Z") { from }',
    ],
    ["an empty span", 'series(from: "2026-10-01T00:00:00Z", to: "2026-10-01T00:00:00Z") { from }'],
    [
      "more than 1,000 buckets",
      'series(from: "2026-01-01T00:00:00Z", to: "2026-11-01T00:00:00Z", unit: HOUR) { from }',
    ],
  ])("a series with %s is BAD_USER_INPUT, of links, of a channel and of a link", async (_, series) => {
    const expected = ["BAD_USER_INPUT"];
    expect(await codesOf(`{ inviteLinks(channelId: ${CHAT}) { ${series} } }`)).toEqual(expected);
    expect(await codesOf(`{ channel(telegramId: ${CHAT}) { activity { ${series} } } }`)).toEqual(expected);
    expect(await codesOf(`{ inviteLink(id: "${links[0]?.id}") { stats { ${series} } } }`)).toEqual(expected);
  });

  test.each([
    ["TAG without a tag type", "by: TAG"],
    ["TAG with a tag type that does not exist", `by: TAG, tagTypeId: "${MISSING_ID}"`],
    ["CREATOR with a tag type", `by: CREATOR, tagTypeId: "${MISSING_ID}"`],
    ["CREATED_DAY in an unknown time zone", 'by: CREATED_DAY, timeZone: "Mars/Olympus"'],
  ])("groups by %s are BAD_USER_INPUT", async (_, args) => {
    expect(await codesOf(`{ inviteLinks(channelId: ${CHAT}) { groups(${args}) { linkCount } } }`)).toEqual([
      "BAD_USER_INPUT",
    ]);
  });

  test("days of creation are those of the channel's time zone where no other is given", async () => {
    const { id } = (await server.ask(`{ channel(telegramId: ${CHAT}) { id } }`)).data.channel;
    const day = async (timeZone: string) => {
      expect(await mutate("updateChannel", { id, timeZone }, "channel { timeZone currency }")).toEqual({
        __typename: "UpdateChannelSuccess",
        channel: { timeZone, currency: "USD" },
      });
      const { data } = await server.ask(
        `{ inviteLinks(channelId: ${CHAT}) { groups(by: CREATED_DAY) { from linkCount } } }`,
      );
      return data.inviteLinks.groups;
    };
    expect(await day("Europe/Berlin")).toEqual([{ from: "2026-10-24T22:00:00.000Z", linkCount: LINKS }]);
    expect(await day("America/New_York")).toEqual([{ from: "2026-10-24T04:00:00.000Z", linkCount: LINKS }]);
    expect(await day("Asia/Kolkata")).toEqual([{ from: "2026-10-24T18:30:00.000Z", linkCount: LINKS }]);
  });

  test("a channel's time zone and currency are not changed to null or to unknown ones", async () => {
    const id = own.channel;
    expect(fieldsOf(await mutate("updateChannel", { id, timeZone: null, currency: null }))).toEqual([
      "currency",
      "timeZone",
    ]);
    expect(fieldsOf(await mutate("updateChannel", { id, timeZone: "+02:00" }))).toEqual(["timeZone"]);
    expect(await mutate("updateChannel", { id, currency: "EUR" }, "channel { currency }")).toMatchObject({
      channel: { currency: "EUR" },
    });
    expect(await mutate("updateChannel", { id }, "channel { currency }")).toMatchObject({
      channel: { currency: "EUR" },
    });
  });
});

test("a channel's coverage has its own gaps and those of all channels, and the drift of its members", async () => {
  const { data } = await server.ask(
    `{ channel(telegramId: ${CHAT}) { memberCount coverage { since lastUpdateAt drift gaps { from to reason } } } }`,
  );
  expect(data.channel).toEqual({
    memberCount: 130,
    coverage: {
      since: "2026-10-01T00:00:00.000Z",
      lastUpdateAt: "2026-10-25T10:00:01.000Z",
      // 30 more members than at first, of whom 27 were counted.
      drift: 3,
      gaps: [
        { from: "2026-10-03T00:00:00.000Z", to: "2026-10-04T00:00:00.000Z", reason: "BOT_ABSENT" },
        { from: "2026-10-02T00:00:00.000Z", to: null, reason: "NOT_RECEIVING" },
      ],
    },
  });
});

test("a member event shows its link, its person and its time", async () => {
  const { data } = await server.ask(`{ memberEvents(channelId: ${CHAT}) { nodes {
    kind channelId userId inviteLink { id } attribution path isRemoval isRejoin isInferred actorId occurredAt
  } } }`);
  expect(data.memberEvents.nodes).toEqual([
    {
      kind: "JOINED",
      channelId: CHAT,
      userId: 1,
      inviteLink: { id: globalId("InviteLink", links[1]?.id as string) },
      attribution: "EXACT",
      path: null,
      isRemoval: false,
      isRejoin: false,
      isInferred: false,
      actorId: null,
      occurredAt: "2026-10-25T10:00:00.000Z",
    },
  ]);
});

describe("numbers of links over REST", () => {
  const rest = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(`${server.origin}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${server.token}`, "content-type": "application/json" },
    });
    return { status: response.status, body: await response.json() };
  };
  const STATS = {
    join_count: 1,
    leave_count: 0,
    removed_count: 0,
    active_count: 1,
    unique_join_count: 1,
    join_request_count: 0,
    pending_join_request_count: 0,
    cost_per_join: 10,
    cost_per_active_member: 10,
    first_join_at: "2026-10-25T10:00:00Z",
    last_join_at: "2026-10-25T10:00:00Z",
  };

  test("a link and every page of links have stats where they are asked for, and not otherwise", async () => {
    const id = links[1]?.id as string;
    const link = `/invite_links/${id}?channel_id=${CHAT}`;
    expect((await rest(`${link}&stats=true`)).body.stats).toEqual(STATS);
    expect((await rest(link)).body).not.toHaveProperty("stats");
    expect((await rest(`${link}&stats=false`)).body).not.toHaveProperty("stats");
    expect((await rest(`${link}&stats=perhaps`)).status).toBe(422);
    for (const limit of [50, -1]) {
      const all = `/invite_links/all?channel_id=${CHAT}&limit=${limit}`;
      const { body } = await rest(`${all}&stats=true`, { method: "POST" });
      expect(body.items).toHaveLength(LINKS);
      expect(body.items.find((item: { id: string }) => item.id === id).stats).toEqual(STATS);
      const none = body.items.find((item: { id: string }) => item.id === links[0]?.id).stats;
      expect(none).toMatchObject({ join_count: 0, cost_per_join: null, first_join_at: null });
      const { body: without } = await rest(all, { method: "POST" });
      expect(without.items[0]).not.toHaveProperty("stats");
    }
  });
});

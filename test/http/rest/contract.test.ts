import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  CHANNEL,
  CREATIVE,
  GROUP,
  PLATFORM,
  startTestServer,
  type TestServer,
  YOUTUBE,
} from "../../support/server.js";
import { differences, FILTER, LINK, NEW_LINK, PAGE, TAG_WITH_LINKS } from "./examples.js";
import { callerOf } from "./support.js";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());
const call = callerOf(() => server);
const all = (query = "", body?: unknown) =>
  call("POST", `/invite_links/all?channel_id=${CHANNEL}${query}`, { body });
const idsOf = ({ body }: { body: { items: { id: string }[] } }) => body.items.map(({ id }) => id);
const globalId = (kind: string, id: string) => btoa(`${kind}:${id}`);

/** The links as GraphQL returns them in this order, converted to the JSON of REST. */
async function graphLinks(args: string): Promise<object[]> {
  const { data } = await server.ask(`{ inviteLinks(channelId: ${CHANNEL}, first: 100, ${args}) { nodes {
    id name channelId url createsJoinRequest expireDate memberLimit createdAt updatedAt isBotCreated creatorId budget
    tags { id name color type { id name } } } } }`);
  const bare = (id: string) => atob(id).split(":")[1];
  const second = (at: string | null) => at && `${at.slice(0, 19)}Z`;
  // biome-ignore lint/suspicious/noExplicitAny: as the query asks.
  return data.inviteLinks.nodes.map((link: any) => ({
    id: bare(link.id),
    name: link.name,
    channel_id: link.channelId,
    invite_link: link.url,
    creates_join_request: link.createsJoinRequest,
    expire_date: second(link.expireDate),
    member_limit: link.memberLimit,
    created_at: second(link.createdAt),
    updated_at: second(link.updatedAt),
    is_bot_created: link.isBotCreated,
    creator_id: link.creatorId,
    budget: Number(link.budget),
    // biome-ignore lint/suspicious/noExplicitAny: as the query asks.
    tags: link.tags.map(({ id, type, ...tag }: any) => ({
      id: bare(id),
      ...tag,
      type: { ...type, id: bare(type.id) },
    })),
  }));
}

describe("the checker of JSON shapes", () => {
  test.each([
    ["a key too many", { ...LINK, more: 1 }],
    ["a key too few", { ...LINK, tags: undefined }],
    ["another order", Object.fromEntries(Object.entries(LINK).reverse())],
    ["null where there must be a value", { ...LINK, budget: null }],
    ["a text for a number", { ...LINK, budget: "0" }],
    ["a fraction of a second", { ...LINK, created_at: "2024-01-01T00:00:00.000Z" }],
    ["a tag that is a text", { ...LINK, tags: ["uuid"] }],
  ])("the checker finds %s", (_what, link) => {
    expect(differences(LINK, LINK)).toEqual([]);
    expect(differences(JSON.parse(JSON.stringify(link)), LINK)).not.toEqual([]);
  });
});

describe("GET /invite_links/{invite_link_id}", () => {
  test("a link is found by its UUID and its global id, with or without a slash at the end", async () => {
    const [id] = idsOf(await all("&limit=1"));
    const answer = await call("GET", `/invite_links/${id}?channel_id=${CHANNEL}`);
    expect([answer.status, differences(answer.body, LINK)]).toEqual([200, []]);
    expect(answer.headers.get("content-type")).toBe("application/json; charset=utf-8");
    expect(answer.body.id).toBe(id);
    const global = encodeURIComponent(globalId("InviteLink", String(id)));
    for (const path of [`${global}?channel_id=${CHANNEL}`, `${id}/?channel_id=${CHANNEL}`]) {
      expect((await call("GET", `/invite_links/${path}`)).body).toEqual(answer.body);
    }
  });

  test("a link of another channel, an unknown link and an invisible link are not found", async () => {
    const [id] = idsOf(await all("&limit=1"));
    const token = await server.makeToken({ role: "VIEWER", channelIds: [GROUP] });
    const notFound = { status: 404, body: { detail: "Invite link not found" } };
    for (const [path, as] of [
      [`${id}?channel_id=${GROUP}`, server.token],
      [`01991000-0000-7000-8000-0000000fffff?channel_id=${CHANNEL}`, server.token],
      [`${id}?channel_id=${CHANNEL}`, token],
      [`${id}?channel_id=1`, server.token],
    ] as const) {
      expect(await call("GET", `/invite_links/${path}`, { token: as })).toMatchObject(notFound);
    }
  });
});

describe("POST /invite_links/all", () => {
  test("the list has the documented form and the same links as GraphQL, ten a page, the newest first", async () => {
    const answer = await all();
    expect([answer.status, differences(answer.body, PAGE)]).toEqual([200, []]);
    const links = await graphLinks("orderBy: { field: CREATED_AT, direction: DESC }");
    expect(answer.body).toEqual({ page: 1, limit: 10, total: links.length, items: links.slice(0, 10) });
  });

  test("the list accepts the documented body", async () => {
    const links = await graphLinks("");
    const { body } = await all("&limit=-1");
    expect(body.items).toEqual(links);
    const chosen = body.items.filter(({ tags }: typeof LINK) => tags.some(({ id }) => id === YOUTUBE));
    const links_ids = [chosen[0].id, globalId("InviteLink", chosen[1].id)];
    const filter = {
      ...FILTER,
      tags: [{ ...FILTER.tags[0], tag_type_id: PLATFORM, tags: [YOUTUBE, globalId("Tag", YOUTUBE)] }],
      links_ids,
    };
    expect(idsOf(await all("", filter))).toEqual([chosen[0].id, chosen[1].id]);
    // Tags of one type and its flag are combined by OR, types by AND.
    const groups = [
      { tag_type_id: PLATFORM, tags: [YOUTUBE] },
      { tag_type_id: globalId("TagType", CREATIVE), without_type: true, tags: [] },
    ];
    const without = chosen.filter(({ tags }: typeof LINK) => tags.every(({ type }) => type.id !== CREATIVE));
    expect(without.length).toBeGreaterThan(0);
    expect(idsOf(await all("&limit=100", { tags: groups }))).toEqual(
      without.map(({ id }: typeof LINK) => id),
    );
  });

  test.each([
    ["no body", undefined],
    ["nothing", ""],
    ["null", null],
    ["an empty object", {}],
    ["nulls", { tags: null, links_ids: null }],
    ["empty lists", { tags: [], links_ids: [] }],
    ["keys that nobody knows", { more: 1, __proto__: { a: 1 } }],
    ["a group that constrains nothing", { tags: [{ tag_type_id: PLATFORM, tags: [] }] }],
  ])("the list contains all links for %s", async (_what, body) => {
    expect((await all("", body)).body).toEqual((await all()).body);
  });

  test.each(["application/x-www-form-urlencoded", "text/plain", "nonsense"])(
    "the list contains all links for an empty body of the type %s, as curl -d '' sends it",
    async (type) => {
      const headers = { "content-type": type };
      const path = `/invite_links/all?channel_id=${CHANNEL}`;
      expect((await call("POST", path, { body: "", headers })).body).toEqual((await all()).body);
    },
  );

  test("the list has pages in every order, and empty pages beyond the end", async () => {
    const orders = [
      ["&ordered_fields=name", "orderBy: { field: NAME }"],
      [
        "&ordered_fields=-name&ordered_fields=created_at",
        "orderBy: [{ field: NAME, direction: DESC }, { field: CREATED_AT }]",
      ],
      ["&ordered_fields=created_at&ordered_fields=created_at", "orderBy: { field: CREATED_AT }"],
    ] as const;
    for (const [query, args] of orders) {
      const links = await graphLinks(args);
      const pages = await Promise.all([1, 2, 3, 4].map((page) => all(`${query}&limit=7&page=${page}`)));
      expect(pages.flatMap(({ body }) => body.items)).toEqual(links);
      expect((await all(`${query}&limit=-1`)).body.items).toEqual(links);
    }
    const beyond = await all("&page=2147483647&limit=2147483647");
    expect(beyond.body).toEqual({ page: 2147483647, limit: 2147483647, total: 24, items: [] });
    expect((await all("&page=3&limit=-5")).body).toMatchObject({ page: 3, limit: -5, total: 24 });
    expect((await all("&page=3&limit=-5")).body.items).toHaveLength(24);
    expect((await all("&limit=100000")).body.items).toHaveLength(24);
  });

  test("the list can be filtered by a part of the name and by the creator", async () => {
    const links = (await all("&limit=-1")).body.items as (typeof LINK)[];
    const named = links.filter(({ name }) => name?.toLowerCase().includes("re"));
    expect(named.length).toBeGreaterThan(0);
    expect(idsOf(await all("&limit=50&name=RE"))).toEqual(named.map(({ id }) => id));
    const creator = links[0]?.creator_id;
    const theirs = links.filter(({ creator_id }) => creator_id === creator);
    expect(idsOf(await all(`&limit=50&creator_id=${creator}`))).toEqual(theirs.map(({ id }) => id));
    expect((await all("&creator_id=5")).body).toMatchObject({ total: 0, items: [] });
  });

  test("the list is empty for an unknown granted channel and refused for a channel without a grant", async () => {
    const token = await server.makeToken({ role: "VIEWER", channelIds: [-100555] });
    const asked = (channel: number) =>
      call("POST", `/invite_links/all?channel_id=${channel}&limit=-1`, { token });
    expect((await asked(-100555)).body).toEqual({ page: 1, limit: -1, total: 0, items: [] });
    expect((await asked(CHANNEL)).status).toBe(403);
  });
});

describe("POST /invite_links", () => {
  test("a link is created with the documented body and answered in the documented form", async () => {
    const answer = await call("POST", "/invite_links", {
      body: { ...NEW_LINK, channel_id: CHANNEL, tags: [YOUTUBE, globalId("Tag", YOUTUBE)], unknown: true },
    });
    expect([answer.status, differences(answer.body, LINK)]).toEqual([201, []]);
    expect(answer.body).toMatchObject({ name: "Моя ссылка", channel_id: CHANNEL, budget: 0 });
    expect(answer.body.tags.map(({ id }: { id: string }) => id)).toEqual([YOUTUBE]);
    const again = await call("GET", `/invite_links/${answer.body.id}?channel_id=${CHANNEL}`);
    expect(again.body).toEqual(answer.body);
    const known = server.sandbox.control.links(CHANNEL).map(({ url }) => url);
    expect(known).toContain(answer.body.invite_link);
  });

  test("a link can be created with a channel and a name only", async () => {
    const { status, body } = await call("POST", "/invite_links", {
      body: { channel_id: String(CHANNEL), name: "Least" },
    });
    expect([status, body]).toMatchObject([
      201,
      { creates_join_request: false, expire_date: null, member_limit: null, budget: 0, tags: [] },
    ]);
  });

  test("a new link has all given values, the budget exact to the cent", async () => {
    const body = {
      channel_id: CHANNEL,
      name: "All",
      expire_date: "2037-05-06T07:08:09+02:00",
      member_limit: 7,
      budget: 999999999999.99,
      tags: null,
    };
    const made = await call("POST", "/invite_links", { body });
    expect([made.status, made.body]).toMatchObject([
      201,
      { expire_date: "2037-05-06T05:08:09Z", member_limit: 7, budget: 999999999999.99, tags: [] },
    ]);
    const { data } = await server.ask(`{ inviteLink(id: "${made.body.id}") { budget } }`);
    expect(data.inviteLink.budget).toBe("999999999999.99");
  });

  test("repeated requests with one key create one link", async () => {
    const before = server.sandbox.control.links(CHANNEL).length;
    const once = () =>
      call("POST", "/invite_links", {
        headers: { "Idempotency-Key": "mine" },
        body: { channel_id: CHANNEL, name: "Once", budget: 1.1 },
      });
    const [one, other] = [await once(), await once()];
    expect([one.status, other.status]).toEqual([201, 201]);
    expect(other.body).toEqual(one.body);
    expect(server.sandbox.control.links(CHANNEL).length).toBe(before + 1);
  });
});

describe("the routes of tags", () => {
  const tags = (query = "") => call("GET", `/tags?channel_id=${CHANNEL}${query}`);

  test("tags are listed with their links, ordered by name unless another order is requested", async () => {
    const { status, body } = await tags("&limit=-1");
    expect([status, differences(body, { ...PAGE, items: [TAG_WITH_LINKS] })]).toEqual([200, []]);
    const { data } = await server.ask(
      `{ tags(channelId: ${CHANNEL}, first: 100) { nodes { id name inviteLinks(first: 100) { nodes { id } } } } }`,
    );
    const bare = ({ id }: { id: string }) => atob(id).split(":")[1];
    expect(body.items.map((tag: typeof TAG_WITH_LINKS) => [tag.id, tag.links.map(({ id }) => id)])).toEqual(
      // biome-ignore lint/suspicious/noExplicitAny: as the query asks.
      data.tags.nodes.map((tag: any) => [bare(tag), tag.inviteLinks.nodes.map(bare)]),
    );
    const pages = await Promise.all([1, 2, 3].map((page) => tags(`&limit=4&page=${page}`)));
    expect(pages.flatMap((page) => page.body.items)).toEqual(body.items);
    expect((await tags("&limit=-1&ordered_fields=-name")).body.items).toEqual(body.items.toReversed());
  });

  test("tags can be filtered by a part of the name and by the type", async () => {
    const { body } = await tags("&name=YOU");
    expect(body.items.map(({ id }: { id: string }) => id)).toEqual([YOUTUBE]);
    const ofType = await tags(`&limit=50&type_id=${encodeURIComponent(globalId("TagType", CREATIVE))}`);
    expect(ofType.body.total).toBeGreaterThan(0);
    expect(ofType.body.items.every(({ type }: typeof TAG_WITH_LINKS) => type.id === CREATIVE)).toBe(true);
  });

  test("tags are created, read and changed in their own channel only", async () => {
    const made = await call("POST", "/tags", {
      body: { channel_id: CHANNEL, name: "Rest", color: "#abcdef", tag_type_id: PLATFORM },
    });
    expect([made.status, differences(made.body, TAG_WITH_LINKS)]).toEqual([201, []]);
    const path = `/tags/${made.body.id}`;
    expect((await call("GET", path)).body).toEqual(made.body);
    expect(made.body).toMatchObject({ color: "#ABCDEF", channel_id: CHANNEL, updated_at: null, links: [] });
    await call("POST", "/invite_links", {
      body: { channel_id: CHANNEL, name: "Tagged", tags: [made.body.id] },
    });

    const change = (channel: number) =>
      `${path}?${new URLSearchParams({ channel_id: String(channel), name: "Rest 2", color: "#000000", type_id: CREATIVE })}`;
    const elsewhere = await call("PATCH", change(GROUP));
    expect([elsewhere.status, elsewhere.body]).toEqual([404, { detail: "Tag not found" }]);
    const changed = await call("PATCH", change(CHANNEL));
    expect([changed.status, differences(changed.body, TAG_WITH_LINKS)]).toEqual([200, []]);
    expect(changed.body).toMatchObject({ name: "Rest 2", color: "#000000", type: { id: CREATIVE } });
    expect(changed.body.links).toMatchObject([{ name: "Tagged" }]);
    expect((await call("GET", `${path}/`)).body).toEqual(changed.body);
  });

  test("tag types are a plain list", async () => {
    const { data } = await server.ask("{ tagTypes { id name } }");
    const types = data.tagTypes.map(({ id, name }: { id: string; name: string }) => ({
      id: atob(id).split(":")[1],
      name,
    }));
    for (const path of ["/tags/types", "/tags/types/"]) expect((await call("GET", path)).body).toEqual(types);
  });
});

import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { newId } from "../../../src/domain/shared/ids.js";
import { costOfCall, TWINS } from "../../../src/http/rest/twins.js";
import { ALL_FORMS, describeOnForms } from "../../support/databases.js";
import { NO_LIMIT, shownLimit, stopClock } from "../../support/rateLimit.js";
import { CHANNEL, PLATFORM, startTestServer, type TestServer } from "../../support/server.js";

const LIMIT = 1000;

afterEach(() => {
  vi.useRealTimers();
});

await describeOnForms("a limited token in REST", ALL_FORMS, (form) => {
  let server: TestServer;
  let token: string;
  beforeAll(async () => {
    server = await startTestServer({ adminToken: "an-admin-token-of-the-tests", rateLimit: LIMIT }, form);
  });
  afterAll(() => server.stop());

  /** A new token, of which nothing was spent. */
  const begin = async () => {
    stopClock();
    token = await server.makeToken({ role: "ADMIN" });
  };
  const ask = (query: string, variables = {}) => server.ask(query, variables, token);
  const send = (path: string, init: RequestInit = {}, bearer = token) =>
    fetch(`${server.origin}${path}`, {
      ...init,
      headers: {
        authorization: `Bearer ${bearer}`,
        ...(init.body && { "content-type": "application/json" }),
        ...init.headers,
      },
    });

  const [channelId, linkId, tagId] = [CHANNEL, newId(), newId()];
  const filter = { name: "a", tagGroups: [{ tagTypeId: PLATFORM, withoutType: true, tagIds: [] }] };
  const body = { tags: [{ tag_type_id: PLATFORM, without_type: true, tags: [] }] };
  const color = "#123456";

  test.each<[string, string, object | null, keyof typeof TWINS, object]>([
    [
      "GET",
      `/invite_links/${linkId}?stats=true`,
      null,
      "getInviteLink",
      { id: linkId, channelId, stats: true },
    ],
    ["POST", "/invite_links/all?", {}, "listInviteLinks", { channelId, stats: false, first: 10 }],
    [
      "POST",
      "/invite_links/all?limit=3&name=a",
      body,
      "listInviteLinks",
      { channelId, stats: false, first: 3, filter },
    ],
    [
      "POST",
      "/invite_links/all?limit=2&stats=true",
      {},
      "listInviteLinks",
      { channelId, stats: true, first: 2 },
    ],
    ["POST", "/invite_links?", { name: "A" }, "createInviteLink", { input: { channelId, name: "B" } }],
    ["GET", "/tags?limit=1", null, "listTags", { channelId, first: 1 }],
    ["GET", `/tags?limit=1&type_id=${PLATFORM}`, null, "listTags", { channelId, first: 1, typeId: PLATFORM }],
    [
      "POST",
      "/tags?",
      { name: "A", color, tag_type_id: PLATFORM },
      "createTag",
      { input: { channelId, name: "B", color, tagTypeId: PLATFORM } },
    ],
    ["GET", "/tags/types?", null, "listTagTypes", {}],
    ["GET", `/tags/${tagId}?`, null, "getTag", { id: tagId }],
    [
      "PATCH",
      `/tags/${tagId}?name=A&color=%23123456&type_id=${PLATFORM}`,
      null,
      "updateTag",
      { input: { id: tagId, name: "A", color, tagTypeId: PLATFORM } },
    ],
  ])(
    "a call costs what the operation of GraphQL does: %s %s",
    async (method, path, sent, name, variables) => {
      await begin();
      const inGraphQL = await ask(TWINS[name], variables);
      expect(inGraphQL).toHaveProperty("data");
      const [, left] = shownLimit(inGraphQL);
      expect(left).toBeLessThan(LIMIT);
      await begin();
      const inRest = await send(`${path}&channel_id=${CHANNEL}`, {
        method,
        ...(sent && { body: JSON.stringify({ channel_id: CHANNEL, ...sent }) }),
      });
      expect([200, 201, 404]).toContain(inRest.status);
      expect(shownLimit(inRest)).toEqual([LIMIT, left, 60]);
    },
  );

  test("a list costs what its pages in GraphQL cost, and the whole limit at the most", () => {
    const twin = { document: TWINS.listInviteLinks, variables: { channelId: CHANNEL, stats: false } };
    const [ten, hundred] = [10, 100].map((size) => costOfCall({ ...twin, size }, 25_000));
    expect(costOfCall({ ...twin, size: 310 }, 25_000)).toBe(3 * (hundred ?? 0) + (ten ?? 0));
    expect(costOfCall({ ...twin, size: 2 ** 31 - 1 }, 1_000_000)).toBe(25_000);
    expect(costOfCall({ ...twin, size: -1 }, 1_000_000)).toBe(25_000);
    expect(costOfCall({ ...twin, size: -1 }, 700)).toBe(700);
  });

  test.each([
    ["POST", `/invite_links/all?channel_id=${CHANNEL}&limit=-1`],
    ["GET", `/export?channel_id=${CHANNEL}`],
    ["POST", "/import?dry_run=true"],
  ])(
    "a call for any number of links costs the whole limit, if that is small: %s %s",
    async (method, path) => {
      await begin();
      const answer = await send(path, {
        method,
        ...(path.startsWith("/import") && { body: "url\n", headers: { "content-type": "text/csv" } }),
      });
      expect([answer.status, shownLimit(answer)]).toEqual([200, [LIMIT, 0, 60]]);
      await answer.text();
      const refused = await send("/tags/types");
      expect([refused.status, refused.headers.get("retry-after"), shownLimit(refused)]).toEqual([
        429,
        "60",
        [LIMIT, 0, 60],
      ]);
      expect(await refused.json()).toEqual({
        detail: "This costs 11. The token may spend 0 more of its 1000 in the next 60 s. Nothing was done.",
        code: "RATE_LIMITED",
      });
      expect((await ask("{ viewer { name } }")).status).toBe(429);
    },
  );

  test("refusals show the headers, but not to ADMIN_TOKEN and strangers", async () => {
    await begin();
    const invalid = await send(`/tags?channel_id=${CHANNEL}&limit=0`);
    expect([invalid.status, shownLimit(invalid)]).toEqual([422, [LIMIT, LIMIT, 60]]);
    const unknown = await send("/tags/types", {}, "unknown");
    expect([unknown.status, shownLimit(unknown)]).toEqual([401, NO_LIMIT]);
    for (let count = 0; count < 100; count += 1) {
      const answer = await send("/tags/types", {}, server.token);
      expect([answer.status, shownLimit(answer)]).toEqual([200, NO_LIMIT]);
    }
  });
});

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { SourceRow } from "../../src/domain/transfer/importLinks.js";
import { RestSource, type RestSourceOptions } from "../../src/import-export/restSource.js";
import { type Fault, itemOf, json, type LinksApi, startLinksApi, TOKEN } from "../support/linksApi.js";

const CHAT = -1001234567890;
const items = (count: number) => Array.from({ length: count }, (_, index) => itemOf(index));

let api: LinksApi;
let pauses: number[];
beforeEach(async () => {
  api = await startLinksApi(items(25));
  pauses = [];
});
afterEach(() => api.close());

const source = (options: Partial<RestSourceOptions> = {}) =>
  new RestSource({
    url: api.url,
    token: TOKEN,
    chatId: CHAT,
    pageSize: 10,
    pause: async (milliseconds) => {
      pauses.push(milliseconds);
    },
    ...options,
  });
const read = async (options?: Partial<RestSourceOptions>): Promise<SourceRow[]> => {
  const rows: SourceRow[] = [];
  for await (const row of source(options).rows()) rows.push(row);
  return rows;
};
const places = (rows: readonly SourceRow[]) => rows.map(({ place }) => place);
const all = (count: number) => items(count).map(({ id }) => `link ${id}`);

describe("importing from a REST API", () => {
  test("RestSource reads page by page, the oldest links first", async () => {
    const totals: number[] = [];
    const rows = await read({ onTotal: (total) => totals.push(total) });
    expect(places(rows)).toEqual(all(25));
    expect(rows[1]?.record).toEqual({
      channel_id: CHAT,
      url: "https://t.me/+1",
      name: "Link 1",
      budget: 0.25,
      created_at: new Date(1.7e12 + 1000).toISOString(),
      creator_id: 456,
      expire_date: null,
      member_limit: null,
      creates_join_request: false,
      is_bot_created: true,
      tags: [{ type: "Platform", name: "Tag 1", color: "#00FF00" }],
    });
    expect(totals).toEqual([25, 25, 25]);
    expect(api.requests.map(({ method, page, limit, body }) => [method, page, limit, body])).toEqual([
      ["POST", 1, 10, "{}"],
      ["POST", 2, 10, "{}"],
      ["POST", 3, 10, "{}"],
    ]);
    expect(api.requests[0]?.query.getAll("ordered_fields")).toEqual(["created_at", "name"]);
    expect(api.requests[0]?.query.get("channel_id")).toBe(String(CHAT));
  });

  test("RestSource requests one page if there are no links", async () => {
    api.items = [];
    expect(await read()).toEqual([]);
    expect(api.requests).toHaveLength(1);
  });

  test("RestSource accepts pages with fewer links than requested", async () => {
    const few: Fault = ({ page }, response) => {
      api.faults.push(few);
      return json(response, 200, { total: 25, items: api.items.slice((page - 1) * 4, page * 4) });
    };
    api.faults.push(few);
    expect(places(await read())).toEqual(all(25));
  });

  test("RestSource drops invalid colors and keeps missing tags as null", async () => {
    const tag = { name: "N", color: "red", type: { name: "T" } };
    api.items = [itemOf(0, { tags: [tag] }), itemOf(1, { tags: null }), itemOf(2, { tags: "?" })];
    expect((await read()).map(({ record }) => (record as { tags: unknown }).tags)).toEqual([
      [{ type: "T", name: "N", color: null }],
      null,
      "?",
    ]);
  });

  test("RestSource gives links that are created meanwhile too, each once", async () => {
    api.faults.push(({ page }) => {
      if (page === 2) api.items = [...api.items, itemOf(25), itemOf(26)];
      return false;
    });
    expect(places(await read())).toEqual(all(27));
  });

  test("RestSource reads all pages again if deleted links moved others to a page that was read before", async () => {
    let deleted = false;
    api.faults.push(({ page }) => {
      if (page === 2 && !deleted) {
        deleted = true;
        // Link 10 moves to the first page, which was read already.
        api.items = api.items.slice(1);
      }
      return false;
    });
    expect(places(await read()).sort()).toEqual(all(25).sort());
  });

  test("RestSource fails if the API never returns as many links as it counts", async () => {
    const lying: Fault = (_, response) => {
      api.faults.push(lying);
      return json(response, 200, { total: 30, items: [] });
    };
    api.faults.push(lying);
    await expect(read()).rejects.toThrow(/has 30 links but returned 0.*again/);
  });
});

describe("importing from a REST API that fails", () => {
  const status =
    (code: number, headers = {}): Fault =>
    (_, response) =>
      json(response, code, { detail: "not now" }, headers);
  const cut: Fault = (_, response) => {
    response.destroy();
    return true;
  };
  const half: Fault = (_, response) => {
    response.writeHead(200, { "content-length": "1000" });
    response.write('{"total": 25, "items": [');
    setImmediate(() => response.destroy());
    return true;
  };
  const halfWhole: Fault = (_, response) => {
    response.writeHead(200).end('{"total": 25, "items": [');
    return true;
  };

  test("RestSource requests the same page again", async () => {
    api.faults.push(({ page }, response) => page === 2 && status(503)({} as never, response), cut, half);
    api.faults.push(halfWhole, status(500));
    expect(places(await read())).toEqual(all(25));
    expect(api.requests.map(({ page }) => page)).toEqual([1, 2, 2, 2, 2, 2, 2, 3]);
    expect(pauses).toEqual([500, 1000, 2000, 4000, 8000]);
  });

  test("RestSource waits as long as the API asks to", async () => {
    const soon = new Date(Date.now() + 60_000).toUTCString();
    api.faults.push(status(429, { "retry-after": "7" }), status(429, { "retry-after": soon }), status(429));
    expect(await read()).toHaveLength(25);
    expect([pauses[0], pauses[2]]).toEqual([7000, 500]);
    expect(pauses[1]).toBeGreaterThan(50_000);
    expect(pauses[1]).toBeLessThanOrEqual(60_000);
  });

  test.each([
    ["5xx", status(502), /failed \(502\)/, 7],
    ["429", status(429, { "retry-after": "1" }), /no more requests/, 11],
    ["cut connections", cut, /cannot be reached, or the connection broke/, 7],
    ["half answers", halfWhole, /not JSON/, 7],
  ])("RestSource gives up after repeated %s", async (_, fault, message, tries) => {
    const forever: Fault = (asked, response) => {
      api.faults.push(forever);
      return fault(asked, response);
    };
    api.faults.push(forever);
    await expect(read()).rejects.toThrow(message);
    expect(api.requests).toHaveLength(tries);
  });

  test("RestSource gives up a request that gets no answer within the time limit", async () => {
    const hanging: Fault = () => {
      api.faults.push(hanging);
      return true;
    };
    api.faults.push(hanging);
    await expect(read({ timeoutMs: 20 })).rejects.toThrow(/within 0.02 s/);
  });

  test.each([
    [{ items: [], total: "5" }, /total: /],
    [{ total: 1, items: {} }, /items: /],
    [{ total: 1, items: [5] }, /items\.0: /],
    [[], /the whole: /],
  ])("RestSource names the wrong part of the answer %j", async (body, message) => {
    api.faults.push((_, response) => json(response, 200, body));
    await expect(read()).rejects.toThrow(message);
    expect(api.requests).toHaveLength(1);
  });

  test.each([
    [403, { detail: "Forbidden" }, /may not read the channel -1001234567890 \(403\).*Forbidden/],
    [404, { detail: "Not Found" }, /no API at http:.*invite_links\/all \(404\)/],
    [422, { detail: [{ loc: ["query", "limit"], msg: "too large" }] }, /\(422\).*too large/],
    [400, `no\u0007 ${TOKEN}`, /\(400\)/],
  ])("RestSource does not repeat a request that was refused with %s", async (code, body, message) => {
    api.faults.push((_, response) => json(response, code, body));
    const error = await read().catch(String);
    expect(error).toMatch(message);
    expect(error).not.toMatch(new RegExp(`${TOKEN}|[\\n\\u0007]`));
    expect(api.requests).toHaveLength(1);
  });

  test("RestSource reports a token that the API refuses, without showing it", async () => {
    const error = await read({ token: "another-token" }).catch(String);
    expect(error).toMatch(/does not accept the token \(401\)/);
    expect(error).not.toContain("another-token");
  });

  test("RestSource does not send the token to the target of a redirect", async () => {
    const other = await startLinksApi();
    const location = `${new URL("/base/invite_links/all?a=secret", other.url)}`;
    api.faults.push((_, response) => json(response, 307, {}, { location }));
    const error = await read().catch(String);
    expect(error).toContain(`to ${other.url.origin}/base/invite_links/all.`);
    expect(error).not.toContain("secret");
    expect(other.requests).toEqual([]);
    await other.close();
  });

  test("RestSource sends no further request after the import is stopped", async () => {
    const controller = new AbortController();
    api.faults.push(status(503));
    const stopped = read({
      signal: controller.signal,
      pause: async () => controller.abort(new Error("enough")),
    });
    await expect(stopped).rejects.toThrow("enough");
    expect(api.requests).toHaveLength(1);
  });
});

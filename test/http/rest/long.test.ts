import { once } from "node:events";
import { type ClientRequest, request as httpRequest, type IncomingMessage, ServerResponse } from "node:http";
import { json } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Database } from "../../../src/database/database.js";
import { Links } from "../../../src/domain/links/query/linkQueries.js";
import { newId } from "../../../src/domain/shared/ids.js";
import { storeChannel, storeTags, storeTagType } from "../../domain/support.js";
import { describeOnForms, USUAL_FORMS } from "../../support/databases.js";
import { CHANNEL, startTestServer, type TestServer } from "../../support/server.js";
import { testStatement } from "../../support/statement.js";
import { callerOf } from "./support.js";

const LINKS = 20_000;
/** How long an event is awaited, as long as a test may last. */
const PATIENCE = { timeout: 60_000, interval: 20 };

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** Fills a channel with many links, of which several were created at the same moment, and with tags that some links carry. */
async function fill(database: Database): Promise<void> {
  const { id: channelId } = await storeChannel(database, CHANNEL);
  const typeId = await storeTagType(database, "Source");
  const tags = [1, 2, 3].map((number) => ({ id: newId(), typeId, name: `Tag ${number}` }));
  await storeTags(database, channelId, tags);
  await database.query(testStatement`
    insert into invite_link (id, channel_id, name, name_key, url, budget, creator_id, created_at)
    select ('01990000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, ${channelId}::uuid, 'Link ' || n,
      'link ' || n, 'https://t.me/+' || n, n % 1000 / 4.0, 7, timestamptz '2026-01-01' + n / 3 * interval '1 second'
    from generate_series(1, ${LINKS}::int) n`);
  for (const [index, tag] of tags.entries()) {
    await database.query(testStatement`
      insert into invite_link_tag (link_id, tag_id, channel_id, type_id, created_at)
      select id, ${tag.id}::uuid, channel_id, ${typeId}::uuid, created_at from invite_link
      where budget * 4 % ${index + 2}::int = 0`);
  }
}

await describeOnForms("a long REST list", USUAL_FORMS, (form) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({}, form, fill);
  });
  afterAll(() => server.stop());
  const call = callerOf(() => server);
  const all = (query: string) => call("POST", `/invite_links/all?channel_id=${CHANNEL}${query}`);
  const EVERYTHING = `/invite_links/all?channel_id=${CHANNEL}&limit=-1`;

  /** A request for all links, which is not sent yet. */
  function ask(token = server.token): ClientRequest {
    const { port } = new URL(server.origin);
    const headers = { authorization: `Bearer ${token}` };
    return httpRequest({
      port,
      host: "127.0.0.1",
      method: "POST",
      path: EVERYTHING,
      headers,
      agent: false,
    });
  }
  /** Requests all links, and reads nothing of the body yet. */
  async function begin(token?: string): Promise<IncomingMessage> {
    const [answer] = (await once(ask(token).end(), "response")) as [IncomingMessage];
    return answer;
  }
  // biome-ignore lint/suspicious/noExplicitAny: the body of the route.
  const rest = (answer: IncomingMessage): Promise<any> => json(answer);
  /** The number of lists that are being read. */
  const readings = () => {
    const logged = server.log.filter(({ msg }) => msg === "sql");
    const ended = form === "embedded" ? "cursor_close" : "cursor_rollback";
    return (
      logged.filter(({ sql }) => String(sql).startsWith("declare")).length -
      logged.filter(({ statement }) => statement === ended).length
    );
  };
  const allRead = () => vi.waitFor(() => expect(readings()).toBe(0), PATIENCE);

  test("a long list has the rows of its pages, in their order", async () => {
    const everything = (await all("&limit=-1")).body;
    expect([everything.total, everything.items.length]).toEqual([LINKS, LINKS]);
    for (const page of [1, 2, 13, 27, 39, 40, 41]) {
      const { items } = (await all(`&limit=500&page=${page}`)).body;
      expect(items).toEqual(everything.items.slice((page - 1) * 500, page * 500));
    }
    // A page that is too long to be held in memory is read in the same way.
    expect((await all("&limit=7000&page=3")).body).toEqual({
      page: 3,
      limit: 7000,
      total: LINKS,
      items: everything.items.slice(14_000),
    });
    const named = await all("&limit=-1&ordered_fields=-name&name=link%2019");
    expect(named.body.items.map(({ name }: { name: string }) => name)).toEqual(
      Array.from({ length: LINKS }, (_, index) => `Link ${index + 1}`)
        .filter((name) => name.startsWith("Link 19"))
        .sort()
        .reverse(),
    );
    await allRead();
  });

  test("a long list takes no more memory for more rows", async () => {
    setFlagsFromString("--expose-gc");
    const collect: () => void = runInNewContext("gc");
    const used = () => {
      collect();
      return process.memoryUsage().heapUsed;
    };
    const answer = await begin();
    let bytes = 0;
    let looked = 0;
    const samples: number[] = [];
    for await (const chunk of answer) {
      bytes += (chunk as Buffer).length;
      if (bytes - looked < 1_000_000) continue;
      looked = bytes;
      samples.push(used());
    }
    expect(bytes).toBeGreaterThan(8_000_000);
    expect(samples.length).toBeGreaterThan(6);
    // V8 sometimes compiles a function again. Memory that grew with the rows would grow from each sample to the next.
    const growths = samples.slice(1).map((sample, index) => sample - (samples[index] ?? 0));
    const median = growths.sort((one, other) => one - other)[Math.floor(growths.length / 2)];
    expect(median).toBeLessThan(100_000);
    await allRead();
  });

  test("a long list shows one moment, and leaves the database to other requests meanwhile", async () => {
    const reading = await begin();
    const made = await call("POST", "/invite_links", { body: { channel_id: CHANNEL, name: "Meanwhile" } });
    expect(made.status).toBe(201);
    expect(readings()).toBe(1);
    const { total, items } = await rest(reading);
    expect([total, items.length]).toEqual([LINKS, LINKS]);
    expect(items.map(({ name }: { name: string }) => name)).not.toContain("Meanwhile");
    expect((await all("&limit=-1")).body.total).toBe(LINKS + 1);
    await allRead();
  });

  test("a long list is abandoned when its client leaves or reads no more of it", async () => {
    const leaving = await begin();
    expect(readings()).toBe(1);
    leaving.destroy();
    await allRead();
    // The list is also abandoned if the client leaves before the first row.
    const { numberedPage } = Links.prototype;
    const found = vi.spyOn(Links.prototype, "numberedPage");
    const early = ask();
    const gone = new Promise<void>((resolve) => {
      found.mockImplementationOnce(async function (this: Links, args) {
        const page = await numberedPage.call(this, args);
        early.destroy();
        // Gives the server time to notice. Nothing tells the test when it has.
        await delay(100);
        resolve();
        return page;
      });
    });
    early.once("error", () => {});
    early.end();
    await gone;
    found.mockRestore();
    await allRead();
    const original = ServerResponse.prototype.setTimeout;
    const waiting = vi.spyOn(ServerResponse.prototype, "setTimeout").mockImplementationOnce(function (
      this: ServerResponse,
      _milliseconds,
      callback,
    ) {
      return original.call(this, 200, callback);
    });
    const stalled = await begin();
    stalled.once("error", () => {});
    expect(waiting).toHaveBeenCalledWith(60_000, expect.any(Function));
    waiting.mockRestore();
    await allRead();
    await expect(rest(stalled)).rejects.toThrow();
    expect((await all("&limit=1")).status).toBe(200);
    expect(server.log.filter(({ level }) => level === "error")).toEqual([]);
  });

  test("a long list is refused with 429 while its token reads two others, or all tokens read four", async () => {
    const other = await server.makeToken({ role: "VIEWER" });
    const third = await server.makeToken({ role: "VIEWER" });
    const putOff = async (token: string) => {
      const answer = await begin(token);
      answer.destroy();
      return [answer.statusCode, answer.headers["retry-after"]];
    };
    const two = await Promise.all([begin(), begin()]);
    expect(await putOff(server.token)).toEqual([429, "5"]);
    const four = [...two, ...(await Promise.all([begin(other), begin(other)]))];
    expect(await putOff(third)).toEqual([429, "5"]);
    expect((await all("&limit=1")).status).toBe(200);
    for (const answer of four) {
      expect(answer.statusCode).toBe(200);
      answer.destroy();
    }
    await allRead();
    expect((await all("&limit=-1")).status).toBe(200);
    await allRead();
  });

  test("a long list of tags has the newest thousand links of each tag", async () => {
    const tags = (await call("GET", `/tags?channel_id=${CHANNEL}&limit=-1`)).body;
    expect(tags.total).toBe(3);
    const links = (await all("&limit=-1")).body.items as { id: string; tags: { id: string }[] }[];
    for (const tag of tags.items as { id: string; links: { id: string }[] }[]) {
      const carrying = links.filter((link) => link.tags.some(({ id }) => id === tag.id));
      expect(tag.links.map(({ id }) => id)).toEqual(carrying.slice(0, 1000).map(({ id }) => id));
      expect(tag.links).toHaveLength(1000);
    }
    await allRead();
  });
});

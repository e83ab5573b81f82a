import { describe, expect, onTestFinished, test, vi } from "vitest";
import { globalId } from "../src/domain/shared/ids.js";
import { Receiver } from "./background/webhooks/receiver.js";
import { type BalancedOptions, BalancedServers, Load, NEWS, OTHER } from "./support/balancedServers.js";
import { missingForm } from "./support/databases.js";
import { missingBalancer } from "./support/haproxy.js";
import { missingPooler } from "./support/pgbouncer.js";

/** How often all servers are restarted. */
const ROUNDS = Number(process.env["CRASH_ROUNDS"] ?? 1);
/** The number of links in a batch. */
const BATCH = 15;
const PATIENCE = { timeout: 60_000, interval: 50 };

const LIST = `query ($channelId: TelegramID!) {
  inviteLinks(channelId: $channelId, first: 20) { totalCount totals { budget } nodes { id name tags { name } } }
}`;
const BATCHES = `query ($ids: [ID!]!) {
  nodes(ids: $ids) { ... on InviteLinkBatch { state madeCount } }
}`;
const EVENT_IDS = "select id from member_event order by id";

/** What the clients work on. */
interface Prepared {
  readonly links: readonly { readonly id: string; readonly url: string }[];
  readonly tagId: string;
  /** The id of the first event, which no subscriber gets. */
  readonly firstEvent: string;
}

async function prepare(servers: BalancedServers): Promise<Prepared> {
  const { client, telegram } = servers;
  const { tagType } = await client.mutate("createTagType", { name: "Source" }, "tagType { id }");
  const newTag = { channelId: NEWS, tagTypeId: tagType.id, name: "A", color: "#0969da" };
  const { tag } = await client.mutate("createTag", newTag, "tag { id }");
  const links: { id: string; url: string }[] = [];
  for (const createsJoinRequest of [false, false, true]) {
    const input = { channelId: NEWS, name: "Kept", createsJoinRequest };
    links.push((await client.mutate("createInviteLink", input, "inviteLink { id url }"))["inviteLink"]);
  }
  const person = { id: 4_999_999, is_bot: false, first_name: "First" };
  telegram.control.join(NEWS, person, { url: links[0]?.url ?? "" });
  const firstEvent = await vi.waitUntil(async () => (await servers.column(EVENT_IDS))[0], PATIENCE);
  return { links, tagId: tag.id, firstEvent: globalId("MemberEvent", firstEvent) };
}

/** Adds clients that read, and such as change what is there already. */
function addReadersAndEditors(load: Load, { links, tagId }: Prepared): void {
  const ids = links.map(({ id }) => id);
  for (let count = 0; count < 3; count += 1)
    load.repeat("a list", (client) => client.ask(LIST, { channelId: NEWS }));
  const asked = new URLSearchParams({ query: LIST, variables: JSON.stringify({ channelId: NEWS }) });
  load.repeat("a list by GET", (client) => client.send("GET", `/graphql?${asked}`));
  load.repeat("a list by REST", (client) =>
    client.send("POST", `/invite_links/all?channel_id=${NEWS}&limit=20`, {}),
  );
  load.repeat("an export", async (client) => {
    const text = await client.send("GET", `/export?channel_id=${NEWS}&format=jsonl`);
    const kept = text
      .trim()
      .split("\n")
      .filter((line) => JSON.parse(line).name === "Kept");
    if (kept.length !== links.length) throw new Error(`The export ends early: ${kept.length}`);
  });
  load.repeat("tags of many links", (client, turn) => {
    const change = turn % 2 === 0 ? { addTagIds: [tagId] } : { removeTagIds: [tagId] };
    return client.mutate("setInviteLinkTags", { ids, ...change }, "inviteLinks { id }");
  });
  load.repeat("an edit", (client, turn) =>
    client.mutate("updateInviteLink", { id: ids[0], budget: `${turn}.00` }, "inviteLink { id }"),
  );
}

/** Adds clients that create links. @returns the addresses of the links by their names */
function addCreators(load: Load): ReadonlyMap<string, string> {
  const made = new Map<string, string>();
  load.repeat("a creation", async (client, turn) => {
    const input = { channelId: NEWS, name: `GraphQL ${turn}`, idempotencyKey: `GraphQL ${turn}` };
    const create = async () =>
      (await client.mutate("createInviteLink", input, "inviteLink { url }"))["inviteLink"].url;
    const url = await create();
    made.set(input.name, url);
    // Most repetitions reach another server.
    if ((await create()) !== url) throw new Error("A repetition created another link.");
  });
  load.repeat("a creation by REST", async (client, turn) => {
    const name = `REST ${turn}`;
    const body = { channel_id: OTHER, name, create_join_request: false, budget: 1, tags: [] };
    const answer = await client.send("POST", "/invite_links", body, { "idempotency-key": name });
    made.set(name, JSON.parse(answer).invite_link);
  });
  return made;
}

/** All updates are stored, and each event came once to each subscriber, in order. */
async function expectEventsOnce(
  servers: BalancedServers,
  subscribers: readonly (readonly string[])[],
): Promise<void> {
  await expect.poll(() => servers.telegram.control.pendingUpdates(), PATIENCE).toEqual([]);
  const [, ...ids] = await servers.column(EVENT_IDS);
  const events = ids.map((id) => globalId("MemberEvent", id)).sort();
  for (const told of subscribers) await expect.poll(() => [...told].sort(), PATIENCE).toEqual(events);
  expect(await servers.column("select reason from failed_update")).toEqual([]);
  expect(await servers.column("select reason from coverage_gap")).toEqual([]);
  expect(await servers.recount()).toEqual([0, expect.anything()]);
}

const FORMS: readonly (BalancedOptions & { readonly title: string; readonly missing: string | null })[] = [
  { title: "updates by polling", transport: "polling", isPooled: false, missing: null },
  { title: "updates by webhook and a pooler", transport: "webhook", isPooled: true, missing: missingPooler },
];

const missing = missingBalancer ?? (await missingForm("server"));

describe.runIf(missing === null)("three servers behind haproxy", () => {
  for (const form of FORMS) {
    if (form.missing !== null) {
      test.skip(`a rolling restart with ${form.title}: skipped: ${form.missing}`);
      continue;
    }
    test(`a rolling restart with ${form.title} fails no request, and loses and doubles nothing`, {
      timeout: 120_000 + ROUNDS * 120_000,
    }, async () => {
      const servers = await BalancedServers.start(form);
      const { client, balancer } = servers;
      const { control } = servers.telegram;
      const receiver = await Receiver.listen();
      onTestFinished(() => receiver.close());
      const webhook = { url: receiver.url, eventTypes: ["MEMBER_JOINED", "MEMBER_LEFT"] };
      const prepared = await prepare(servers);
      await client.mutate("createWebhook", webhook, "secret");
      const subscribers = [1, 2, 3, 4].map(() => servers.follow(prepared.firstEvent));
      const stopVisitors = servers.haveVisitors(prepared.links.map(({ url }) => url));
      const load = new Load(balancer.port);
      addReadersAndEditors(load, prepared);
      const made = addCreators(load);
      await load.succeeds(50);

      const batches: string[] = [];
      for (let restart = 0; restart < 3 * ROUNDS; restart += 1) {
        const names = Array.from({ length: BATCH }, (_, place) => `Batch ${restart}, ${place}`);
        const input = { channelId: NEWS, links: names.map((name) => ({ name })) };
        batches.push((await client.mutate("createInviteLinks", input, "batch { id }"))["batch"].id);
        // Creations wait for longer than the server accepts requests.
        control.fail({ kind: "too-many-requests", retryAfter: 4 }, { method: "createChatInviteLink" });
        expect(await servers.end(restart % 3, "SIGTERM")).toBe(0);
        await servers.begin(restart % 3);
      }
      await load.succeeds(50);
      await load.end();
      stopVisitors();
      expect(load.failures).toEqual([]);
      // Nor did one of Telegram's.
      expect(servers.failedRequests).toEqual([]);

      const done = batches.map(() => ({ state: "DONE", madeCount: BATCH }));
      await expect.poll(() => client.ask(BATCHES, { ids: batches }), PATIENCE).toEqual({ nodes: done });
      const stored = await servers.column("select name || ' ' || url from invite_link");
      const inTelegram = [NEWS, OTHER]
        .flatMap((chat) => control.links(chat))
        .filter(({ isPrimary }) => !isPrimary)
        .map(({ name, url }) => `${name} ${url}`);
      expect(stored.sort()).toEqual(inTelegram.sort());
      expect(stored).toEqual(expect.arrayContaining([...made].map(([name, url]) => `${name} ${url}`)));
      expect(stored).toHaveLength(prepared.links.length + made.size + batches.length * BATCH);

      await expectEventsOnce(servers, subscribers);
      const [, ...toldOf] = await servers.column(
        "select id from member_event where kind in ('JOINED', 'LEFT') order by id",
      );
      await receiver.got(toldOf.length);
      const delivered = receiver.received.map(({ body }) => body.id);
      expect(delivered.sort()).toEqual(toldOf.map((id) => globalId("MemberEvent", id)).sort());
      expect(servers.errors).toEqual([]);
    });
  }

  test("a server that is killed, and one that freezes, fail no request but their own, and no event is lost", {
    timeout: 240_000,
  }, async () => {
    const servers = await BalancedServers.start({ transport: "polling", isPooled: false });
    const prepared = await prepare(servers);
    const subscribers = [1, 2, 3, 4].map(() => servers.follow(prepared.firstEvent));
    const stopVisitors = servers.haveVisitors(prepared.links.map(({ url }) => url));
    const load = new Load(servers.balancer.port);
    addReadersAndEditors(load, prepared);
    await load.succeeds(50);

    await servers.end(0, "SIGKILL");
    await servers.isUsed(0, false);
    await load.succeeds(50);
    await servers.begin(0);
    await servers.isUsed(0, true);
    expect(load.failures.length).toBeLessThanOrEqual(load.clients);
    expect(servers.failedRequests.filter((line) => !line.includes(" ready/server-1 "))).toEqual([]);

    const before = load.failures.length;
    servers.freeze(1);
    await servers.isUsed(1, false);
    await load.succeeds(50);
    servers.unfreeze(1);
    await servers.isUsed(1, true);
    await load.succeeds(50);
    await load.end();
    stopVisitors();
    expect(load.failures.length - before).toBeLessThanOrEqual(load.clients);
    expect(servers.failedRequests.filter((line) => !/ ready\/server-[12] /.test(line))).toEqual([]);
    await expectEventsOnce(servers, subscribers);
  });

  test("servers that are all unready are asked nevertheless", async () => {
    const servers = await BalancedServers.start({
      transport: "polling",
      isPooled: false,
      shutdownDelayMs: 600_000,
    });
    for (const number of [0, 1, 2]) void servers.end(number, "SIGTERM");
    for (const number of [0, 1, 2]) await servers.isUsed(number, false);
    expect(await servers.client.ask("{ __typename }")).toEqual({ __typename: "Query" });
    const asked = () => servers.balancer.log.some((line) => / alive\/server-\d .*POST \/graphql/.test(line));
    await expect.poll(asked).toBe(true);
  });
});

if (missing !== null) test.skip(`three servers behind haproxy: skipped: ${missing}`);

import { randomInt } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { afterEach, expect, test } from "vitest";
import { CrashTestBed, type KillableServer } from "../../../support/crashing.js";
import { describeOnForms, USUAL_FORMS } from "../../../support/databases.js";
import { CHANNEL } from "../../../support/server.js";

/** How many servers are killed while batches are being created. */
const KILLS = Number(process.env["CRASH_ROUNDS"] ?? 4);
const LINKS = 60;
/** Starts are slow on a busy machine. */
const PATIENCE_MS = 120_000 + KILLS * 40_000;
const MOMENTS = ["before", "sent", "answered"] as const;

const CREATE = `mutation ($input: CreateInviteLinksInput!) { createInviteLinks(input: $input) {
  __typename ... on CreateInviteLinksSuccess { batch { id } } ... on UserError { message } } }`;
const READ = `query ($id: ID!, $after: String) { node(id: $id) { ... on InviteLinkBatch {
  state totalCount madeCount failedCount uncertainCount finishedAt
  items(first: 100, after: $after) { nodes { index name state inviteLink { url } } pageInfo { endCursor hasNextPage } } } } }`;

let testBed: CrashTestBed;
afterEach(() => testBed.close());

interface Item {
  readonly index: number;
  readonly name: string;
  readonly state: string;
  readonly inviteLink: { readonly url: string } | null;
}

const connect = (server: KillableServer) =>
  server.ask(`mutation { connectChannel(input: { chat: "${CHANNEL}" }) { __typename } }`);

const inputOf = (key: string, count = LINKS) => ({
  channelId: CHANNEL,
  idempotencyKey: key,
  links: Array.from({ length: count }, (_, index) => ({
    name: `${key}-${index}`,
    externalId: `${key} ${index}`,
  })),
});

async function read(server: KillableServer, id: string) {
  const items: Item[] = [];
  for (let after: string | null = null; ; ) {
    const { node } = await server.ask(READ, { id, after });
    items.push(...node.items.nodes);
    if (!node.items.pageInfo.hasNextPage)
      return { ...node, items } as Record<string, unknown> & { items: Item[] };
    after = node.items.pageInfo.endCursor;
  }
}

/** Nothing is doubled or lost: each item is what the sandbox knows of its link. @returns the uncertain items. */
function compare(items: readonly Item[]): Item[] {
  for (const { name, state, inviteLink } of items) {
    const urls = testBed.made(name);
    expect(urls.length, name).toBeLessThan(2);
    if (state === "MADE") expect(urls, name).toEqual([inviteLink?.url]);
    else if (state === "UNCERTAIN") expect(testBed.asked(name), name).toBeLessThan(2);
    else expect(urls, `${name} ${state}`).toEqual([]);
  }
  return items.filter(({ state }) => state === "UNCERTAIN");
}

/** Settles what is uncertain by what the sandbox knows. */
async function settle(server: KillableServer, uncertain: readonly Item[]): Promise<void> {
  const listed = await server.uncertain();
  expect(listed.map(({ name }) => name).sort()).toEqual(uncertain.map(({ name }) => name).sort());
  for (const { id, name } of listed) {
    const answer = await server.resolve(id, testBed.made(name)[0] ?? null);
    expect(answer.__typename).toBe("ResolveCreationSuccess");
  }
}

await describeOnForms("batches of servers that are killed", USUAL_FORMS, (form) => {
  test("servers killed at random points of a batch lose and double no link", {
    timeout: PATIENCE_MS,
  }, async () => {
    testBed = await CrashTestBed.prepare(form);
    const servers = [await testBed.start(), ...(form === "server" ? [await testBed.start()] : [])];
    const serverAt = (index: number): KillableServer => {
      const server = servers[index];
      if (!server) throw new RangeError(`There is no server ${index}.`);
      return server;
    };
    await connect(serverAt(0));
    const input = inputOf("Killed");
    let id: string | null = null;
    let kills = 0;
    for (;;) {
      const victim = randomInt(servers.length);
      const server = serverAt(victim);
      const point = `SIGKILL ${MOMENTS[randomInt(3)] ?? "sent"} ${randomInt(5, 160)} on` as const;
      const isLast = kills >= KILLS;
      const answer = await server.ask(CREATE, { input }, isLast ? undefined : point).catch((error: Error) => {
        if (error.message !== "fetch failed") throw error;
        return null;
      });
      if (answer) {
        expect(answer.createInviteLinks).toMatchObject({ __typename: "CreateInviteLinksSuccess" });
        id ??= answer.createInviteLinks.batch.id;
        expect(answer.createInviteLinks.batch.id).toBe(id);
      }
      if (isLast) break;
      // A server without work sends few messages.
      await Promise.race([server.process.exited, delay(randomInt(500, 3000))]);
      await server.kill();
      kills += 1;
      servers[victim] = await testBed.start();
    }
    const batchId = id ?? "";
    const server = serverAt(0);
    await expect
      .poll(async () => (await read(server, batchId))["finishedAt"], { interval: 200, timeout: 60_000 })
      .not.toBeNull();
    const batch = await read(server, batchId);
    expect(batch.items.map(({ index }) => index)).toEqual(input.links.map((_, index) => index));
    const uncertain = compare(batch.items);
    expect(batch).toMatchObject({
      state: "DONE",
      madeCount: LINKS - uncertain.length,
      failedCount: 0,
      uncertainCount: uncertain.length,
    });
    expect(uncertain.length).toBeLessThanOrEqual(kills);
    await settle(server, uncertain);
    const settled = await read(server, batchId);
    expect(compare(settled.items)).toEqual([]);
    expect(await server.links(CHANNEL)).toEqual(testBed.links(CHANNEL));
  });

  test("a server that gets SIGTERM finishes its link and leaves the batch to be gone on with", {
    timeout: PATIENCE_MS,
  }, async () => {
    testBed = await CrashTestBed.prepare(form);
    const { control } = testBed.telegram;
    const first = await testBed.start();
    await connect(first);
    control.fail({ kind: "slow", ms: 100 }, { method: "createChatInviteLink", times: 10 });
    const called = control.nextCall("createChatInviteLink");
    const { createInviteLinks } = await first.ask(CREATE, { input: inputOf("Ended", 30) });
    const { id } = createInviteLinks.batch;
    await called;
    const next = form === "server" ? await testBed.start() : null;
    expect(await first.kill("SIGTERM")).toBe(0);
    const server = next ?? (await testBed.start());
    await expect
      .poll(async () => (await read(server, id))["finishedAt"], { interval: 200, timeout: 60_000 })
      .not.toBeNull();
    const batch = await read(server, id);
    expect(compare(batch.items)).toEqual([]);
    expect(batch).toMatchObject({ state: "DONE", madeCount: 30 });
    expect(await server.links(CHANNEL)).toEqual(testBed.links(CHANNEL));
  });
});

const ON_SERVER = USUAL_FORMS.filter((form) => form === "server");

await describeOnForms("two servers with one batch", ON_SERVER, () => {
  test("a cancellation on the other server stops the batch after the link that is being created", {
    timeout: PATIENCE_MS,
  }, async () => {
    testBed = await CrashTestBed.prepare("server");
    const { control } = testBed.telegram;
    const [server, other] = await Promise.all([testBed.start(), testBed.start()]);
    await connect(server);
    const release = control.hold({ method: "createChatInviteLink" });
    const called = control.nextCall("createChatInviteLink");
    const { createInviteLinks } = await server.ask(CREATE, { input: inputOf("Cancelled") });
    const { id } = createInviteLinks.batch;
    await called;
    const { cancelInviteLinkBatch } = await other.ask(
      `mutation ($id: ID!) { cancelInviteLinkBatch(input: { id: $id }) {
        ... on CancelInviteLinkBatchSuccess { batch { state finishedAt } } } }`,
      { id },
    );
    expect(cancelInviteLinkBatch.batch).toEqual({ state: "CANCELLED", finishedAt: null });
    release();
    await expect.poll(async () => (await read(other, id))["finishedAt"]).not.toBeNull();
    const batch = await read(other, id);
    expect(batch).toMatchObject({ state: "CANCELLED", madeCount: 1 });
    expect(compare(batch.items)).toEqual([]);
    const watcher = new pg.Client(testBed.database.url ?? "");
    await watcher.connect();
    const { rows } = await watcher.query(
      "select action, count(*)::int as count, count(distinct caller)::int as callers from audit_entry group by action order by action",
    );
    await watcher.end();
    expect(rows).toEqual(
      [
        ["channel.store", 1],
        ["inviteLink.create", 1],
        ["inviteLinkBatch.cancel", 1],
        ["inviteLinkBatch.create", 1],
      ].map(([action, count]) => ({ action, count, callers: 1 })),
    );
  });
});

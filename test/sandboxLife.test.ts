import { afterAll, beforeAll, expect, test } from "vitest";
import { recount } from "../src/domain/links/counts/recount.js";
import { UpdateIngestion } from "../src/domain/members/updateIngestion.js";
import { fillWithSample, readSample } from "../src/sample.js";
import { historyUpdates, sampleHistory } from "../src/sampleHistory.js";
import { startSampleLife } from "../src/sampleLife.js";
import { storeChannel } from "./domain/support.js";
import { EventReader } from "./http/graphql/subscriptionServer.js";
import { openTestDatabase } from "./support/databases.js";
import { CHANNEL, startTestServer, type TestServer } from "./support/server.js";

const BOT_ID = 123456789;

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server?.stop());

test("the sandbox's first start stores a history with which all counters agree", async () => {
  const opened = await openTestDatabase("embedded");
  const { database } = opened;
  const [sample, now] = [await readSample(), new Date()];
  await fillWithSample(database, sample, BOT_ID, now);
  const setAside: string[] = [];
  const ingestion = new UpdateIngestion({
    database,
    botId: BOT_ID,
    notifies: false,
    onStored: () => {},
    onSetAside: (reasons) => setAside.push(...reasons),
  });
  const visits = sampleHistory(sample, now);
  await ingestion.ingest(historyUpdates(sample, visits), null);
  expect(setAside).toEqual([]);
  expect(await recount(database, { chatId: null, checkOnly: true })).toEqual([]);
  const joins = visits.filter(({ joinedAt }) => joinedAt !== null);
  const [stored] = await opened.pool
    .query("select sum(join_count)::int as joins, sum(leave_count)::int as leaves from channel_activity")
    .then(({ rows }) => rows);
  expect(stored).toEqual({
    joins: joins.length,
    leaves: joins.filter(({ leftAt }) => leftAt !== null).length,
  });
  await opened.close();
});

test("the sample's links have numbers that differ, and retention and series show a course", async () => {
  const { data } = await server.ask(`{
    inviteLinks(channelId: ${CHANNEL}, first: 100) {
      totals { joinCount activeCount retention { days rate } }
      nodes { stats { joinCount leaveCount uniqueJoinCount removedCount pendingJoinRequestCount costPerJoin } }
    }
    channels(first: 10) { nodes { telegramId activity { joinCount } coverage { drift gaps { reason } } } }
  }`);
  const { totals, nodes } = data.inviteLinks;
  const all = nodes.map(({ stats }: { stats: Record<string, unknown> }) => stats);
  for (const name of ["joinCount", "leaveCount", "costPerJoin"])
    expect(new Set(all.map((stats: Record<string, unknown>) => stats[name])).size).toBeGreaterThan(4);
  expect(
    all.some(({ joinCount, uniqueJoinCount }: Record<string, number>) => joinCount !== uniqueJoinCount),
  ).toBe(true);
  for (const name of ["removedCount", "pendingJoinRequestCount"])
    expect(all.some((stats: Record<string, number>) => (stats[name] ?? 0) > 0)).toBe(true);
  const rates = totals.retention.map(({ rate }: { rate: number }) => rate);
  expect(rates.every((rate: number, index: number) => index === 0 || rate < rates[index - 1])).toBe(true);
  expect(totals.activeCount).toBeLessThan(totals.joinCount);
  for (const { activity, coverage } of data.channels.nodes) {
    expect(activity.joinCount).toBeGreaterThan(0);
    expect(coverage.gaps).toEqual([]);
  }
});

test("people of the sandbox come, leave and ask by the same way as Telegram's updates", async () => {
  const abort = new AbortController();
  const response = await fetch(server.url, {
    signal: abort.signal,
    method: "POST",
    headers: {
      authorization: `Bearer ${server.token}`,
      "content-type": "application/json",
      accept: "text/event-stream",
    },
    body: JSON.stringify({ query: `subscription { memberEvents(channelId: ${CHANNEL}) { kind } }` }),
  });
  const reader = new EventReader(response);
  const end = startSampleLife(server.sandbox.control, () => 5);
  const kinds = new Set<string>();
  while (kinds.size < 3) kinds.add((await reader.next())?.data.data.memberEvents.kind);
  end();
  expect([...kinds].sort()).toEqual(["JOINED", "JOIN_REQUESTED", "LEFT"]);
  abort.abort();
});

test("a start after a first one that ended before the history was stored stores it", async () => {
  const first = new Date(Date.now() - 86_400_000);
  const sample = await readSample();
  const existing = await startTestServer({}, undefined, async (database) => {
    await fillWithSample(database, sample, BOT_ID, first);
    // The same process could go on as well.
    expect(await fillWithSample(database, sample, BOT_ID, new Date())).toEqual(first);
  });
  const { data } = await existing.ask(
    `{ channels(first: 10) { nodes { telegramId activity { joinCount } coverage { since } } } }`,
  );
  const visits = sampleHistory(sample, first);
  for (const { telegramId, activity, coverage } of data.channels.nodes) {
    const joins = visits.filter(({ chatId, joinedAt }) => chatId === Number(telegramId) && joinedAt !== null);
    expect(activity).toEqual({ joinCount: joins.length });
    expect(coverage).toEqual({ since: first.toISOString() });
  }
  await existing.stop();
});

test("a sandbox that exists already goes on without the history", async () => {
  const existing = await startTestServer({}, undefined, async (database) => {
    await storeChannel(database, CHANNEL);
  });
  const { data } = await existing.ask(`{ memberEvents(channelId: ${CHANNEL}) { totalCount } }`);
  expect(data.memberEvents.totalCount).toBe(0);
  await existing.stop();
});

import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Database } from "../../../src/database/database.js";
import { followMigration } from "../../../src/domain/channels/chatMigration.js";
import { LinkFeed, type ReadBeginning } from "../../../src/domain/live/linkFeed.js";
import { UpdateIngestion } from "../../../src/domain/members/updateIngestion.js";
import { openTestDatabase, type TestDatabase, USUAL_FORMS } from "../../support/databases.js";
import { testStatement } from "../../support/statement.js";
import { received, type SeedUpdate, telegramUpdate } from "../members/updates.js";
import { callerOf, newChatId, noKnownCallers } from "../support.js";

let opened: TestDatabase;
beforeAll(async () => {
  opened = await openTestDatabase(USUAL_FORMS[0] ?? "embedded");
});
afterAll(() => opened?.close());

let updateId = 100;
const join = (chat: number, user: number, link: number): object => {
  updateId += 1;
  const date = Math.floor(Date.now() / 1000) - 86_400 + updateId;
  const usual = { isByAdmin: false, isByRequest: false, isByFolder: false };
  const seed: SeedUpdate = { updateId, chat, user, kind: "join", date, link, ...usual };
  return telegramUpdate(seed);
};

test("after a merge of two channels, the links that changed in the remaining one since the last read are found", async () => {
  const { database } = opened;
  const ingestion = new UpdateIngestion({ database, botId: 7_000_000_001, notifies: false });
  const ingest = (...updates: readonly object[]) => ingestion.ingest(updates.map(received), null);
  const [group, supergroup] = [newChatId(), newChatId()];
  await ingest(join(group, 1, 0), join(group, 2, 1), join(supergroup, 3, 0));
  const feed = new LinkFeed(database, (error) => {
    throw error;
  });
  const channelOf = async (chatId: number) => (await feed.findChannel(chatId))?.channelId ?? "";
  const former = await channelOf(supergroup);
  const told: ReadBeginning[] = [];
  const watcher = { onChanged: () => {}, onGone: (beginning: ReadBeginning) => told.push(beginning) };
  const unwatch = await feed.watch(former, watcher);
  const shared = { database, callerCache: noKnownCallers };
  await followMigration(shared, callerOf(), group, supergroup);
  // One link that was known before, and one that is new.
  await ingest(join(supergroup, 4, 1), join(supergroup, 5, 2));
  const renamed = randomUUID();
  await database.query(testStatement`
    insert into audit_entry (id, at, caller, action, subject_id, channel_id, change)
    select ${randomUUID()}::uuid, now(), 'server', 'inviteLink.update', ${renamed}::uuid, c.id, '{}'
    from channel c where c.chat_id = ${supergroup}::bigint`);
  feed.wake();
  await expect.poll(() => told.length).toBe(1);
  const since = told[0] as ReadBeginning;
  unwatch();
  const remaining = await channelOf(supergroup);
  expect(remaining).not.toBe(former);
  const changed = await feed.changedSince(remaining, since);
  const latest = await database.query<{ linkId: string }>(testStatement`
    select link_id as "linkId" from member_event where channel_id = ${remaining}::uuid order by sequence desc limit 2`);
  expect(changed).toEqual(expect.arrayContaining(latest.map(({ linkId }) => linkId)));
  expect(changed).toContain(renamed);
  // A read in the future finds nothing: neither events nor audit entries are as young.
  const later = { transaction: Number.MAX_SAFE_INTEGER, at: Date.now() + 60_000 };
  expect(await feed.changedSince(remaining, later)).toEqual([]);
});

test("the feed begins anew after all subscribers have left, although the last one left during a read", async () => {
  const { database } = opened;
  const chatId = newChatId();
  const ingestion = new UpdateIngestion({ database, botId: 7_000_000_001, notifies: false });
  await ingestion.ingest([received(join(chatId, 1, 1))], null);
  let leave = () => {};
  // From which transaction on each read reads changes.
  const beginnings: unknown[] = [];
  const query: Database["query"] = async (sql, use) => {
    const rows = await database.query<never>(sql, use);
    if (sql.statementName !== "link_feed_audit") return rows;
    beginnings.push(sql.values.at(-1));
    leave();
    return rows;
  };
  const feed = new LinkFeed({ query }, (error) => {
    throw error;
  });
  const channelId = (await feed.findChannel(chatId))?.channelId ?? "";
  const watcher = { onChanged: () => {}, onGone: () => {} };
  leave = await feed.watch(channelId, watcher);
  feed.wake();
  await expect.poll(() => beginnings.length).toBe(2);
  (await feed.watch(channelId, watcher))();
  expect(beginnings).toEqual([null, expect.any(Number), null]);
});

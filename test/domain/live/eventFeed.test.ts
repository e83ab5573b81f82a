import { afterAll, beforeAll, expect, test } from "vitest";
import { followMigration } from "../../../src/domain/channels/chatMigration.js";
import { EventFeed } from "../../../src/domain/live/eventFeed.js";
import { EventFollower } from "../../../src/domain/live/eventFollower.js";
import { findFollowedChannel } from "../../../src/domain/live/followedChannel.js";
import { audit, SERVER } from "../../../src/domain/shared/audit.js";
import { idBeginning, newId } from "../../../src/domain/shared/ids.js";
import { openTestDatabase, type TestDatabase } from "../../support/databases.js";
import { testStatement } from "../../support/statement.js";
import { callerOf, newChatId, noKnownCallers, type StoredChannel, storeChannel } from "../support.js";

let opened: TestDatabase;
beforeAll(async () => {
  opened = await openTestDatabase("embedded");
});
afterAll(() => opened.close());

let lastUser = 0;

/** Of a server whose clock is an hour behind. */
const oldId = () => idBeginning(Date.now() - 3_600_000) + newId().slice(15);

/** Stores events of people who join without a link. @returns the users' ids, in order */
async function storeJoins({ id }: StoredChannel, count: number, eventId = newId): Promise<number[]> {
  const users = Array.from({ length: count }, () => {
    lastUser += 1;
    return lastUser;
  });
  await opened.database.transaction(async (unit) => {
    const [{ last } = { last: 0 }] = await unit.query<{ last: number }>(
      testStatement`update channel_activity set last_sequence = last_sequence + ${count}::int
        where channel_id = ${id}::uuid returning last_sequence - ${count}::int as last`,
    );
    await unit.execute(testStatement`
      insert into member_event (channel_id, sequence, id, user_id, occurred_at, kind, attribution)
      select ${id}::uuid, ${last}::bigint + n, event, person, now(), 'JOINED', 'NONE'
      from unnest(${users.map(() => eventId())}::uuid[], ${users}::bigint[]) with ordinality as e (event, person, n)`);
  });
  return users;
}

const errors: unknown[] = [];
const newFeed = () => new EventFeed(opened.database, (error) => errors.push(error));

async function follow(feed: EventFeed, chatId: number, isFromStart = false) {
  const channel = await findFollowedChannel(opened.database, chatId, null);
  const chatIds: number[] = [];
  const follower = new EventFollower(feed, {
    chatId,
    channel,
    after: isFromStart ? { sequence: 0, eventId: null } : null,
    linkId: null,
    onChatId: (id) => chatIds.push(id),
  });
  const take = async (count: number) => {
    const users: number[] = [];
    while (users.length < count) users.push((await follower.next()).value.userId);
    return users;
  };
  return { follower, chatIds, take };
}

test("a subscriber who resumes far behind holds up nobody, and gets everything", async () => {
  const channel = await storeChannel(opened.database);
  const past = await storeJoins(channel, 3000);
  const feed = newFeed();
  const behind = await follow(feed, channel.chatId, true);
  expect(await behind.take(1)).toEqual(past.slice(0, 1));
  const live = await follow(feed, channel.chatId);
  const next = live.take(2);
  const now = await storeJoins(channel, 2);
  opened.statements.length = 0;
  feed.wake();
  expect(await next).toEqual(now);
  // A feed that began where the first subscriber is would read 500 events at a time.
  expect(opened.statements.length).toBeLessThanOrEqual(3);
  expect(behind.follower.isLive).toBe(false);
  expect(await behind.take(past.length + 1)).toEqual([...past.slice(1), ...now]);
  await Promise.all([behind.follower.return(), live.follower.return()]);
});

test("subscribers of a channel that takes in another one get the other's events once, and none of their own again", async () => {
  const [old, remaining] = [await storeChannel(opened.database), await storeChannel(opened.database)];
  const stored = {
    action: "channel.store" as const,
    subjectId: remaining.id,
    channelId: remaining.id,
    change: {},
  };
  await opened.database.transaction((unit) => audit(unit, SERVER, stored));
  await storeJoins(old, 7);
  await storeJoins(remaining, 5);
  const feed = newFeed();
  const [byOld, byNew] = [await follow(feed, old.chatId), await follow(feed, remaining.chatId)];
  const firsts = [byOld.take(1), byNew.take(1)];
  const [ofOld, ofNew] = [await storeJoins(old, 1), await storeJoins(remaining, 2)];
  feed.wake();
  expect(await Promise.all(firsts)).toEqual([ofOld, ofNew.slice(0, 1)]);
  const { database } = opened;
  await followMigration({ database, callerCache: noKnownCallers }, callerOf(), old.chatId, remaining.chatId);
  const after = await storeJoins(remaining, 2);
  feed.wake();
  // The events of the channel with the new id come after those of the former one.
  expect(await byNew.take(3)).toEqual([...ofNew.slice(1), ...after]);
  expect((await byOld.take(9)).slice(-4)).toEqual([...ofNew, ...after]);
  expect(byOld.chatIds).toEqual([remaining.chatId]);
  expect(byNew.chatIds).toEqual([]);
  await Promise.all([byOld.follower.return(), byNew.follower.return()]);
  expect(errors).toEqual([]);
});

test("a subscriber of a chat that becomes known later gets its events from the first one on", async () => {
  const feed = newFeed();
  const chatId = newChatId();
  const early = await follow(feed, chatId);
  const first = early.take(2);
  const users = await storeJoins(await storeChannel(opened.database, chatId), 2, oldId);
  expect(await first).toEqual(users);
  await early.follower.return();
});

test("a subscriber of a supergroup that is not known yet gets what comes after its group's events", async () => {
  const { database } = opened;
  const group = await storeChannel(database);
  await storeJoins(group, 3);
  const supergroup = newChatId();
  const feed = newFeed();
  const early = await follow(feed, supergroup);
  const next = early.take(2);
  await expect.poll(() => early.follower.isLive).toBe(true);
  await followMigration({ database, callerCache: noKnownCallers }, callerOf(), group.chatId, supergroup);
  const users = await storeJoins(group, 2, oldId);
  expect(await next).toEqual(users);
  await early.follower.return();
});

test("a subscriber of a supergroup without events gets none of its group's after their merge", async () => {
  const { database } = opened;
  const [group, supergroup] = [await storeChannel(database), await storeChannel(database)];
  const stored = {
    action: "channel.store" as const,
    subjectId: supergroup.id,
    channelId: supergroup.id,
    change: {},
  };
  await database.transaction((unit) => audit(unit, SERVER, stored));
  await storeJoins(group, 3);
  const feed = newFeed();
  const live = await follow(feed, supergroup.chatId);
  const next = live.take(2);
  await expect.poll(() => live.follower.isLive).toBe(true);
  await followMigration(
    { database, callerCache: noKnownCallers },
    callerOf(),
    group.chatId,
    supergroup.chatId,
  );
  const users = await storeJoins(supergroup, 2);
  feed.wake();
  expect(await next).toEqual(users);
  await live.follower.return();
});

test("a subscriber whose last event a merge has dropped goes on with the event behind it", async () => {
  const { database } = opened;
  const [group, supergroup] = [await storeChannel(database), await storeChannel(database)];
  const stored = {
    action: "channel.store" as const,
    subjectId: supergroup.id,
    channelId: supergroup.id,
    change: {},
  };
  await database.transaction((unit) => audit(unit, SERVER, stored));
  const feed = newFeed();
  const live = await follow(feed, supergroup.chatId);
  const [person] = await storeJoins(supergroup, 1);
  await storeJoins(group, 2);
  expect(await live.take(1)).toEqual([person]);
  await storeJoins(supergroup, 1);
  feed.wake();
  await live.take(1);
  await storeJoins(group, 1);
  await database.query(testStatement`
    delete from member_event where channel_id = ${supergroup.id}::uuid and sequence = 2`);
  await database.query(testStatement`
    update channel_activity set last_sequence = 1 where channel_id = ${supergroup.id}::uuid`);
  await followMigration(
    { database, callerCache: noKnownCallers },
    callerOf(),
    group.chatId,
    supergroup.chatId,
  );
  const next = await storeJoins(supergroup, 2);
  feed.wake();
  expect(await live.take(2)).toEqual(next);
  await live.follower.return();
});

test("a subscription that ends while it waits gives no event any more, and its feed reads nothing", async () => {
  const channel = await storeChannel(opened.database);
  const feed = newFeed();
  const { follower } = await follow(feed, channel.chatId);
  const next = follower.next();
  await expect.poll(() => follower.isLive).toBe(true);
  await follower.return();
  expect(await next).toEqual({ done: true, value: undefined });
  await storeJoins(channel, 1);
  opened.statements.length = 0;
  feed.wake();
  expect(opened.statements).toEqual([]);
});

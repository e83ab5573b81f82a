import { afterAll, beforeAll, expect, test } from "vitest";
import { followMigration } from "../../../src/domain/channels/chatMigration.js";
import { newId } from "../../../src/domain/shared/ids.js";
import { openTestDatabase, type TestDatabase, USUAL_FORMS } from "../../support/databases.js";
import { callerOf, newChatId, noKnownCallers, storeChannel, storeTags, storeTagType } from "../support.js";

let test_: TestDatabase;
beforeAll(async () => {
  test_ = await openTestDatabase(USUAL_FORMS[0] ?? "embedded");
});
afterAll(() => test_.close());

const SHARED = "https://t.me/+Shared";

/** A chat with two channels: the old chat id's has the bot's links, the new one's has what updates showed. */
async function twoOfOne() {
  const { database } = test_;
  const { prisma } = database;
  const from = await storeChannel(database);
  const to = await storeChannel(database);
  const typeId = await storeTagType(database, newId());
  const [old, equal] = [newId(), newId()];
  await storeTags(database, from.id, [{ id: old, typeId, name: "Equal" }]);
  await storeTags(database, to.id, [{ id: equal, typeId, name: "EQUAL" }]);
  const link = async (channelId: string, url: string, isBotCreated: boolean, tagId?: string) => {
    const [id, createdAt] = [newId(), new Date()];
    await prisma.inviteLink.create({
      data: { id, channelId, url, isBotCreated, budget: isBotCreated ? "7.00" : "0.00", createdAt },
    });
    if (tagId)
      await prisma.inviteLinkTag.create({ data: { linkId: id, tagId, channelId, typeId, createdAt } });
    return id;
  };
  return { prisma, from, to, equal, link, old };
}

const follow = ({ from, to }: { from: { chatId: number }; to: { chatId: number } }) =>
  followMigration(
    { database: test_.database, callerCache: noKnownCallers },
    callerOf(),
    from.chatId,
    to.chatId,
  );

test("a chat migration into an existing channel merges the links, and equal tags into one", async () => {
  const both = await twoOfOne();
  const { prisma, from, to, equal, link, old } = both;
  const ours = await link(from.id, "https://t.me/+Ours", true, old);
  const theirs = await link(to.id, "https://t.me/+Theirs", true, equal);
  await follow(both);
  expect(await prisma.channel.count({ where: { id: from.id } })).toBe(0);
  const links = await prisma.inviteLink.findMany({ where: { channelId: to.id }, include: { tags: true } });
  expect(links.map(({ id }) => id).sort()).toEqual([ours, theirs].sort());
  expect(links.flatMap(({ tags }) => tags.map(({ tagId }) => tagId))).toEqual([equal, equal]);
});

/** @returns the id of a creation that is ANSWERED, unless `more` says something else. */
async function storeCreation(more: {
  channelId: string;
  linkId?: string;
  state?: "UNCERTAIN";
  arguments?: object;
}): Promise<string> {
  const id = newId();
  await test_.database.prisma.linkCreation.create({
    data: {
      id,
      caller: "admin",
      idempotencyKey: id,
      argumentsHash: new Uint8Array(32),
      arguments: {},
      state: "ANSWERED",
      ownerId: newId(),
      botId: 1n,
      createdAt: new Date(),
      ...more,
    },
  });
  return id;
}

test("the creation of a link that is dropped becomes that of the kept link", async () => {
  const both = await twoOfOne();
  const { prisma, from, to, link } = both;
  const dropped = await link(from.id, SHARED, true);
  const kept = await link(to.id, SHARED, true);
  const creation = await storeCreation({ channelId: from.id, linkId: dropped });
  await follow(both);
  expect(await prisma.linkCreation.findUnique({ where: { id: creation } })).toMatchObject({ linkId: kept });
});

test("a creation that is uncertain gets the tags that remain", async () => {
  const both = await twoOfOne();
  const { prisma, from, to, equal, old } = both;
  const id = await storeCreation({
    channelId: from.id,
    state: "UNCERTAIN",
    arguments: { name: "Ad", tagIds: [old] },
  });
  await follow(both);
  expect(await prisma.linkCreation.findUnique({ where: { id } })).toMatchObject({
    channelId: to.id,
    arguments: { name: "Ad", tagIds: [equal] },
  });
});

test.each([
  ["under the old id", true],
  ["under the new id", false],
])(
  "a link that the bot created %s is kept, and the one that updates showed in the other channel is dropped",
  async (_where, isOld) => {
    const both = await twoOfOne();
    const { prisma, from, to, equal, link, old } = both;
    const older = await link(from.id, SHARED, isOld, isOld ? old : undefined);
    const newer = await link(to.id, SHARED, !isOld, isOld ? undefined : equal);
    const ours = isOld ? older : newer;
    const creation = await storeCreation({ channelId: isOld ? from.id : to.id, linkId: ours });
    await follow(both);
    const links = await prisma.inviteLink.findMany({
      where: { channelId: to.id },
      include: { tags: true, creation: true },
    });
    expect(links).toMatchObject([
      { id: ours, isBotCreated: true, tags: [{ tagId: equal }], creation: { id: creation } },
    ]);
    expect(links[0]?.budget.toFixed(2)).toBe("7.00");
  },
);

test("of two imported links with one address one is kept, with the tags, the budget and the external id of both", async () => {
  const both = await twoOfOne();
  const { prisma, from, to, equal, link, old } = both;
  const dropped = await link(from.id, SHARED, false, old);
  const kept = await link(to.id, SHARED, false);
  await prisma.inviteLink.update({
    where: { id: dropped },
    data: { budget: "12.50", externalId: "ad-1", externalIdKey: "ad-1" },
  });
  await follow(both);
  const links = await prisma.inviteLink.findMany({ where: { channelId: to.id }, include: { tags: true } });
  expect(links).toMatchObject([{ id: kept, externalId: "ad-1", tags: [{ tagId: equal }] }]);
  expect(links[0]?.budget.toFixed(2)).toBe("12.50");
});

test("an external id that both channels have used stays with the link of the channel that remains", async () => {
  const both = await twoOfOne();
  const { prisma, from, to, link } = both;
  const older = await link(from.id, "https://t.me/+Older", true);
  const newer = await link(to.id, "https://t.me/+Newer", true);
  for (const id of [older, newer])
    await prisma.inviteLink.update({ where: { id }, data: { externalId: "ad-2", externalIdKey: "ad-2" } });
  await follow(both);
  const links = await prisma.inviteLink.findMany({ where: { channelId: to.id } });
  expect(new Map(links.map(({ id, externalId }) => [id, externalId]))).toEqual(
    new Map([
      [older, null],
      [newer, "ad-2"],
    ]),
  );
});

test("a chat migration to a chat id without a channel keeps the channel", async () => {
  const { prisma, from } = await twoOfOne();
  const chatId = newChatId();
  await follow({ from, to: { chatId } });
  expect(await prisma.channel.findUnique({ where: { id: from.id } })).toMatchObject({
    chatId: BigInt(chatId),
  });
});

test("a batch of links moves to the channel that remains, and its links that wait get the tags that remain", async () => {
  const both = await twoOfOne();
  const { prisma, from, to, equal, old } = both;
  const [batch, own] = [newId(), newId()];
  const typeId = await storeTagType(test_.database, newId());
  await storeTags(test_.database, from.id, [{ id: own, typeId, name: "Own" }]);
  const items = [[old, own], [], [old]].map((tagIds, position) => ({
    batchId: batch,
    position,
    arguments: { name: `Link ${position}`, tagIds },
    state: "WAITING" as const,
  }));
  await prisma.linkBatch.create({
    data: {
      id: batch,
      channelId: from.id,
      caller: "admin",
      argumentsHash: new Uint8Array(32),
      state: "RUNNING",
      itemCount: items.length,
      createdAt: new Date(),
    },
  });
  await prisma.linkBatchItem.createMany({ data: items });
  await follow(both);
  expect(await prisma.linkBatch.findUnique({ where: { id: batch } })).toMatchObject({ channelId: to.id });
  const moved = await prisma.linkBatchItem.findMany({
    where: { batchId: batch },
    orderBy: { position: "asc" },
  });
  expect(moved.map((item) => item.arguments)).toEqual([
    { name: "Link 0", tagIds: [equal, own].sort() },
    { name: "Link 1", tagIds: [] },
    { name: "Link 2", tagIds: [equal] },
  ]);
});

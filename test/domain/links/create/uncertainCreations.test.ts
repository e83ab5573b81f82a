import { afterAll, beforeAll, expect, test } from "vitest";
import { CreationIntents } from "../../../../src/domain/links/create/creationIntents.js";
import { UncertainCreations } from "../../../../src/domain/links/create/uncertainCreations.js";
import type { Caller } from "../../../../src/domain/shared/caller.js";
import { newId } from "../../../../src/domain/shared/ids.js";
import { openTestDatabase, type TestDatabase, USUAL_FORMS } from "../../../support/databases.js";

const HOUR_MS = 3_600_000;
const admin: Caller = { key: "admin", name: "Test", role: "ADMIN", chatIds: null, telegramUserId: null };

let test_: TestDatabase;
let channelId: string;
beforeAll(async () => {
  test_ = await openTestDatabase(USUAL_FORMS[0] ?? "embedded");
  channelId = newId();
  await test_.database.prisma.channel.create({
    data: { id: channelId, chatId: -1_001_000_000_001n, kind: "CHANNEL", title: "C", createdAt: new Date() },
  });
});
afterAll(() => test_.close());

const creationIntents = () =>
  new CreationIntents(test_.database, { id: newId(), isAlive: async () => false }, 42);
const uncertain = () =>
  new UncertainCreations({ database: test_.database, creationIntents: creationIntents() }, admin);
const request = { idempotencyKey: "key", argumentsHash: new Uint8Array(32), arguments: {} };
const deadline = { at: Date.now() + HOUR_MS };

/** A sent intent of a server that died three days ago, for a link with these tags. */
async function abandoned(tagIds: readonly string[]) {
  const asked = {
    name: "Lost",
    createsJoinRequest: false,
    expireDate: null,
    memberLimit: null,
    budget: "1.00",
    tagIds: [...tagIds],
    priceStars: null,
  };
  const daysAgo = new Date(Date.now() - 72 * HOUR_MS);
  return test_.database.prisma.linkCreation.create({
    data: {
      id: newId(),
      caller: admin.key,
      idempotencyKey: request.idempotencyKey,
      argumentsHash: request.argumentsHash,
      arguments: asked,
      state: "SENT",
      ownerId: newId(),
      channelId,
      botId: 42n,
      createdAt: daysAgo,
      updatedAt: daysAgo,
    },
  });
}

test("a creation that is settled after days gives its link by its key for another day, with the tags that still exist", async () => {
  const { prisma } = test_.database;
  const typeId = newId();
  await prisma.tagType.create({ data: { id: typeId, name: "T", nameKey: "t", createdAt: new Date() } });
  const tags = ["stays", "goes"].map((name) => ({
    id: newId(),
    channelId,
    typeId,
    name,
    nameKey: name,
    color: "#000000",
    createdAt: new Date(),
  }));
  await prisma.tag.createMany({ data: tags });
  const { id, createdAt } = await abandoned(tags.map((tag) => tag.id));
  await prisma.tag.delete({ where: { id: tags[1]?.id ?? "" } });

  const linkId = await uncertain().resolve({ id, url: "https://t.me/+AbCdEf0123456789", notMade: false });
  const link = await prisma.inviteLink.findUniqueOrThrow({
    where: { id: linkId ?? "" },
    include: { tags: true },
  });
  expect(link).toMatchObject({ name: "Lost", createdAt, creatorId: 42n, tags: [{ tagId: tags[0]?.id }] });
  expect(link.tags).toHaveLength(1);
  const entry = await prisma.auditEntry.findFirstOrThrow({ where: { subjectId: link.id } });
  expect(entry.change).toMatchObject({ tagIds: [tags[0]?.id] });
  expect(await creationIntents().findEarlier(admin, request, deadline)).toEqual({ createdLinkId: linkId });

  const dated = new Date(Date.now() - 24.1 * HOUR_MS);
  await prisma.linkCreation.update({ where: { id }, data: { updatedAt: dated } });
  expect(await creationIntents().findEarlier(admin, request, deadline)).toBeNull();
});

test("an uncertain creation keeps its key until it is settled", async () => {
  await test_.database.prisma.linkCreation.deleteMany();
  const { id } = await abandoned([]);
  for (let attempt = 0; attempt < 2; attempt += 1) {
    await expect(creationIntents().findEarlier(admin, request, deadline)).rejects.toMatchObject({
      outcomeUnknown: true,
    });
  }
  await uncertain().resolve({ id, notMade: true });
  expect(await creationIntents().findEarlier(admin, request, deadline)).toBeNull();
});

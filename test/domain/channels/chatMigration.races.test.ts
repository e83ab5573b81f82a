import { afterAll, beforeAll, expect, test } from "vitest";
import { followMigration } from "../../../src/domain/channels/chatMigration.js";
import { storeOutcome } from "../../../src/domain/joinRequests/storeOutcome.js";
import { eraseMember } from "../../../src/domain/members/eraseMember.js";
import { UpdateIngestion } from "../../../src/domain/members/updateIngestion.js";
import { SERVER } from "../../../src/domain/shared/audit.js";
import { ValidationError } from "../../../src/domain/shared/errors.js";
import { newId } from "../../../src/domain/shared/ids.js";
import { describeOnForms, type TestDatabase } from "../../support/databases.js";
import { openWorkshop, type WorkingServer, type Workshop } from "../links/workshop.js";
import { BOT_ID, received, telegramUpdate } from "../members/updates.js";
import {
  callerOf,
  noKnownCallers,
  type StoredChannel,
  storeChannel,
  storeTags,
  storeTagType,
} from "../support.js";

await describeOnForms("work that waits for a transaction on its channels", ["server"], (form) => {
  let workshop: Workshop;
  let server: WorkingServer;
  let bed: TestDatabase;
  let ingestion: UpdateIngestion;
  beforeAll(async () => {
    workshop = await openWorkshop(form);
    server = await workshop.serve();
    bed = workshop.test;
    ingestion = new UpdateIngestion({ database: bed.database, botId: BOT_ID, notifies: false });
  });
  afterAll(() => workshop?.close());

  /** Two channels of one chat, of which `from` is merged into `to`. */
  const twoOfOne = async () => ({
    from: await storeChannel(bed.database),
    to: await storeChannel(bed.database),
  });

  const waiting = async (): Promise<number> => {
    const { rows } = await bed.pool.query(
      `select count(*)::int as count from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return rows[0]?.count;
  };

  /**
   * Begins work that has to wait for another transaction, which is kept from ending until then.
   * @param table where that transaction writes after it has locked the channels
   */
  async function meanwhile<T>(
    table: string,
    other: () => Promise<unknown>,
    work: () => Promise<T>,
  ): Promise<T> {
    const blocker = await bed.pool.connect();
    try {
      await blocker.query(`begin; lock table ${table} in share mode`);
      const ending = other();
      await expect.poll(waiting, { interval: 5 }).toBe(1);
      const working = work();
      working.catch(() => {});
      await expect.poll(waiting, { interval: 5 }).toBe(2);
      await blocker.query("commit");
      await ending;
      return await working;
    } finally {
      blocker.release();
    }
  }

  const duringMerge = <T>(
    { from, to }: { from: StoredChannel; to: StoredChannel },
    work: () => Promise<T>,
  ): Promise<T> => {
    const shared = { database: bed.database, callerCache: noKnownCallers };
    const merge = () => followMigration(shared, callerOf(), from.chatId, to.chatId);
    return meanwhile("webhook_delivery", merge, work);
  };

  let lastUpdateId = 0;
  const update = ({ chatId }: StoredChannel, kind: "join" | "request", user: number) => {
    lastUpdateId += 1;
    const seed = { updateId: lastUpdateId, kind, chat: chatId, user, date: 1_780_000_000 + lastUpdateId };
    const plain = { link: null, isByAdmin: false, isByRequest: false, isByFolder: false };
    return received(telegramUpdate({ ...seed, ...plain }));
  };

  test("an answer about a request to join is stored in the channel that remains", async () => {
    const both = await twoOfOne();
    await ingestion.ingest([update(both.from, "request", 11)], null);
    const where = { userId: 11n };
    const { id } = await bed.database.prisma.joinRequest.findFirstOrThrow({ where });
    const told = { requestId: id, answer: "DECLINED", mark: null } as const;
    await duringMerge(both, () =>
      ingestion.change(async (transaction) => {
        const channelId = await storeOutcome(transaction, SERVER, told, new Date().toISOString());
        return channelId === null ? [] : [channelId];
      }),
    );
    expect(await bed.database.prisma.joinRequest.findMany({ where })).toMatchObject([
      { id, channelId: both.to.id, state: "DECLINED" },
    ]);
  });

  const erase = (userId: number) => eraseMember(bed.database, callerOf(null, "ADMIN"), { userId });

  async function expectErased(userId: number): Promise<void> {
    const where = { userId: BigInt(userId) };
    expect(await bed.database.prisma.membership.count({ where })).toBe(0);
    expect(await bed.database.prisma.memberEvent.count({ where })).toBe(0);
  }

  test("a person is erased from the channel that remains", async () => {
    const both = await twoOfOne();
    await ingestion.ingest([update(both.from, "join", 12)], null);
    expect(await duringMerge(both, () => erase(12))).toEqual({ eventCount: 1 });
    await expectErased(12);
  });

  test("a person is erased from a channel whose updates the erasure has waited for", async () => {
    const { from: known, to: other } = await twoOfOne();
    await ingestion.ingest([update(known, "request", 13)], null);
    const joins = [update(known, "join", 13), update(other, "join", 13)];
    const erased = await meanwhile(
      "member_event",
      () => ingestion.ingest(joins, null),
      () => erase(13),
    );
    expect(erased).toEqual({ eventCount: 3 });
    await expectErased(13);
  });

  test("edits of a link are told in the channel that remains", async () => {
    const { database } = bed;
    const both = await twoOfOne();
    const [linkId, tagId, webhookId] = [newId(), newId(), newId()];
    const typeId = await storeTagType(database, "Type");
    await storeTags(database, both.from.id, [{ id: tagId, typeId, name: "Tag" }]);
    await database.prisma.inviteLink.create({
      data: { id: linkId, channelId: both.from.id, url: "https://t.me/+Moved", createdAt: new Date() },
    });
    await database.prisma.webhook.create({
      data: {
        id: webhookId,
        url: "https://example.com",
        format: "STANDARD",
        eventTypes: ["LINK_UPDATED"],
        createdAt: new Date(),
      },
    });
    await duringMerge(both, () => server.editor().update({ id: linkId, budget: "5.00" }));
    const again = { from: both.to, to: await storeChannel(database) };
    const tagging = { ids: [linkId], addTagIds: [tagId], removeTagIds: [] };
    await duringMerge(again, () => server.tags().set(tagging));
    const entries = await database.prisma.auditEntry.findMany({
      where: { subjectId: linkId },
      orderBy: { id: "asc" },
    });
    expect(entries).toMatchObject([
      { action: "inviteLink.update", channelId: both.to.id },
      { action: "inviteLink.setTags", channelId: again.to.id },
    ]);
    const deliveries = { webhookId, eventType: "LINK_UPDATED" } as const;
    expect(await database.prisma.webhookDelivery.count({ where: deliveries })).toBe(2);
  });

  test("an external id that a link of the channel that remains has is refused", async () => {
    const { prisma } = bed.database;
    const both = await twoOfOne();
    const id = newId();
    const createdAt = new Date();
    await prisma.inviteLink.createMany({
      data: [
        { id, channelId: both.from.id, url: "https://t.me/+Mine", createdAt },
        {
          id: newId(),
          channelId: both.to.id,
          url: "https://t.me/+Other",
          createdAt,
          externalId: "ad-1",
          externalIdKey: "ad-1",
        },
      ],
    });
    await expect(
      duringMerge(both, () => server.editor().update({ id, externalId: "ad-1" })),
    ).rejects.toBeInstanceOf(ValidationError);
  });
});

import sql from "sql-template-tag";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { followMigration } from "../../../src/domain/channels/chatMigration.js";
import { audit, SERVER } from "../../../src/domain/shared/audit.js";
import { NotFoundError, ValidationError } from "../../../src/domain/shared/errors.js";
import { newId } from "../../../src/domain/shared/ids.js";
import { Deliveries } from "../../../src/domain/webhooks/deliveries.js";
import {
  DeliveryQueue,
  type DueDelivery,
  RETRY_SECONDS,
} from "../../../src/domain/webhooks/deliveryQueue.js";
import { Webhooks } from "../../../src/domain/webhooks/webhooks.js";
import { ALL_FORMS, describeOnForms, openTestDatabase, type TestDatabase } from "../../support/databases.js";
import { testStatement } from "../../support/statement.js";
import { callerOf, noKnownCallers, type StoredChannel, storeChannel, TEST_WEBHOOKS } from "../support.js";

const URL_OF_MINE = "http://127.0.0.1:1/";
const DELIVERED = { isDelivered: true, status: 200, error: null };
const REFUSED = { isDelivered: false, status: 500, error: "The receiver answered 500." };

await describeOnForms("the queue of deliveries", ALL_FORMS, (form) => {
  let bed: TestDatabase;
  let channel: StoredChannel;
  let webhooks: Webhooks;
  let queue: DeliveryQueue;

  const attemptOf = (due: DueDelivery | undefined) => ({ id: due?.id ?? "", dueAt: due?.dueAt ?? null });
  const newQueue = () => new DeliveryQueue(bed.database, bed.database, { id: newId(), judges: true });
  const make = async (eventTypes: Parameters<Webhooks["create"]>[0]["eventTypes"], holdSeconds?: number) =>
    (
      await webhooks.create({
        url: URL_OF_MINE,
        format: "STANDARD",
        eventTypes,
        chatIds: [channel.chatId],
        holdSeconds,
      })
    ).webhook;
  /** Stores audit entries of links, in one transaction. */
  const tell = (count = 1, channelId = channel.id) =>
    bed.database.transaction((unit) =>
      audit(
        unit,
        SERVER,
        ...Array.from({ length: count }, () => ({
          action: "inviteLink.revoke" as const,
          subjectId: newId(),
          channelId,
          change: {},
        })),
      ),
    );
  const join = async (userId: number) => {
    const [row] = await bed.database.query<{ sequence: number }>(testStatement`
      update channel_activity set last_sequence = last_sequence + 1 where channel_id = ${channel.id}::uuid
      returning last_sequence as sequence`);
    await bed.database.query(testStatement`
      insert into membership (channel_id, id, user_id, joined_at, join_update_id, join_sequence, path, attribution)
      values (${channel.id}::uuid, ${newId()}::uuid, ${userId}::bigint, now(), ${userId}::bigint, ${row?.sequence}::bigint,
        'DIRECT', 'NONE')`);
    await bed.database.query(testStatement`
      insert into member_event (channel_id, sequence, id, user_id, occurred_at, kind, attribution, path)
      select channel_id, join_sequence, ${newId()}::uuid, user_id, joined_at, 'JOINED', 'NONE', 'DIRECT' from membership
      where channel_id = ${channel.id}::uuid and join_sequence = ${row?.sequence}::bigint`);
  };
  const deliveriesOf = (chatIds: number[] | null) =>
    new Deliveries({ database: bed.database, webhooks: TEST_WEBHOOKS }, callerOf(chatIds, "ADMIN"));
  const statesOf = async (webhookId: string) =>
    (
      await bed.database.query<{ state: string }>(
        testStatement`select state::text from webhook_delivery where webhook_id = ${webhookId}::uuid order by position`,
      )
    ).map(({ state }) => state);
  const hurry = () =>
    bed.database.query(testStatement`update webhook_delivery set due_at = now() where state = 'SCHEDULED'`);

  beforeAll(async () => {
    bed = await openTestDatabase(form);
  });
  afterAll(() => bed.close());
  beforeEach(async () => {
    for (const table of ["webhook", "webhook_delivery", "webhook_lease"])
      await bed.database.prisma.$executeRawUnsafe(`delete from ${table}`);
    channel = await storeChannel(bed.database);
    webhooks = new Webhooks({ database: bed.database, webhooks: TEST_WEBHOOKS }, callerOf(null, "ADMIN"));
    queue = newQueue();
  });

  it("gives a delivery up after the ninth failed attempt, and tells of each pause", async () => {
    const { id } = await make(["LINK_REVOKED"]);
    await tell();
    await queue.claim([]);
    for (const [index, seconds] of [...RETRY_SECONDS, null].entries()) {
      const [due, ...others] = await queue.take(id, [], 10);
      expect({ count: others.length, failures: due?.failureCount }).toEqual({ count: 0, failures: index });
      const [before] = await bed.database.query<{ at: string }>(
        testStatement`select clock_timestamp() as at`,
      );
      expect(
        await queue.finish(id, URL_OF_MINE, [{ ...REFUSED, ...attemptOf(due), failureCount: index }]),
      ).toBe(false);
      // The pause begins between the two looks at the clock.
      const [row] = await bed.database.query<{
        state: string;
        attempts: number;
        longest: number;
        shortest: number;
      }>(testStatement`
        select state::text, attempt_count as attempts,
          extract(epoch from due_at - ${before?.at}::timestamptz)::float8 as longest,
          extract(epoch from due_at - clock_timestamp())::float8 as shortest
        from webhook_delivery where webhook_id = ${id}::uuid`);
      expect(row).toMatchObject({ state: seconds === null ? "FAILED" : "SCHEDULED", attempts: index + 1 });
      if (seconds !== null) {
        // Times are stored in milliseconds.
        expect(row?.longest).toBeGreaterThan(seconds - 0.002);
        expect(row?.shortest).toBeLessThan(seconds * 1.2 + 0.002);
      }
      expect(await queue.take(id, [], 10)).toEqual([]);
      await hurry();
    }
    expect(await queue.take(id, [], 10)).toEqual([]);
  });

  it("says that a webhook is to be disabled after five days without a success", async () => {
    const { id } = await make(["LINK_REVOKED"]);
    await tell(3);
    await queue.claim([]);
    const due = await queue.take(id, [], 10);
    const fail = (index: number) =>
      queue.finish(id, URL_OF_MINE, [{ ...REFUSED, ...attemptOf(due[index]), failureCount: 0 }]);
    const age = (interval: string) =>
      bed.database.query(
        testStatement`update webhook set failing_since = failing_since - ${interval}::interval`,
      );
    expect(await fail(0)).toBe(false);
    await age("4 days 23 hours");
    expect(await fail(1)).toBe(false);
    await age("2 hours");
    expect(await fail(2)).toBe(true);
    await queue.finish(id, URL_OF_MINE, [{ ...DELIVERED, ...attemptOf(due[0]), failureCount: 1 }]);
    expect(await fail(1)).toBe(false);
    await queue.disable(id, URL_OF_MINE, "No delivery has succeeded for five days.");
    await queue.disable(id, URL_OF_MINE, "Again.");
    const entries = await bed.database.query(
      testStatement`select caller, action, change from audit_entry where subject_id = ${id}::uuid and action = 'webhook.disable'`,
    );
    expect(entries).toEqual([
      {
        caller: "server",
        action: "webhook.disable",
        change: { isEnabled: { from: true, to: false }, reason: "No delivery has succeeded for five days." },
      },
    ]);
    await tell();
    expect(await statesOf(id)).toHaveLength(3);
    expect(await queue.take(id, [], 10)).toEqual([]);
    const resumed = await webhooks.update({ id, isEnabled: true });
    expect(resumed).toMatchObject({ isEnabled: true, disabledReason: null });
    expect(await queue.finish(id, URL_OF_MINE, [{ ...REFUSED, ...attemptOf(due[2]), failureCount: 1 }])).toBe(
      false,
    );
  });

  it("gives the deliveries of a webhook to one server at a time, in their order", async () => {
    const { id } = await make(["LINK_REVOKED"]);
    await tell(3);
    const other = newQueue();
    expect(await queue.claim([])).toHaveLength(1);
    expect(await queue.claim([id])).toEqual([]);
    const due = await queue.take(id, [], 2);
    expect(due).toHaveLength(2);
    const rest = await queue.take(
      id,
      due.map((delivery) => delivery.id),
      10,
    );
    expect(rest).toHaveLength(1);
    expect(await other.take(id, [], 10)).toEqual([]);
    expect(await other.read([id])).toEqual([]);
    await queue.release([id]);
    expect(await queue.take(id, [], 10)).toEqual([]);
    expect(await other.claim([])).toHaveLength(1);
    expect((await other.take(id, [], 10)).map((delivery) => delivery.id)).toEqual(
      [...due, ...rest].map((delivery) => delivery.id),
    );
  });

  it("is not disabled because of an address that it does not have any more", async () => {
    const { id } = await make(["LINK_REVOKED"]);
    await tell();
    await queue.claim([]);
    const [due] = await queue.take(id, [], 10);
    const refused = [{ ...REFUSED, ...attemptOf(due), failureCount: 0 }];
    await queue.finish(id, URL_OF_MINE, refused);
    await bed.database.query(testStatement`update webhook set failing_since = now() - interval '6 days'`);
    expect(await queue.finish(id, "http://127.0.0.1:1/former", refused)).toBe(false);
    await queue.disable(id, "http://127.0.0.1:1/former", "Gone.");
    const [webhook] = await webhooks.list();
    expect(webhook).toMatchObject({ isEnabled: true, disabledReason: null });
    await webhooks.update({ id, url: "http://127.0.0.1:1/new" });
    await queue.finish(id, URL_OF_MINE, refused);
    const [row] = await bed.database.query(
      testStatement`select failing_since as "failingSince" from webhook`,
    );
    expect(row).toEqual({ failingSince: null });
  });

  it("sends a delivery once more that was sent again by hand during an attempt, whatever the attempt brings", async () => {
    const { id } = await make(["LINK_REVOKED"]);
    for (const outcome of [DELIVERED, REFUSED]) {
      await tell();
      await queue.claim([]);
      for (const failureCount of [0, 7]) {
        const [due] = await queue.take(id, [], 10);
        await deliveriesOf(null).redeliver({ deliveryIds: [due?.id ?? ""] });
        await queue.finish(id, URL_OF_MINE, [{ ...outcome, ...attemptOf(due), failureCount }]);
        const [again, ...others] = await queue.take(id, [], 10);
        expect({ again, others }).toMatchObject({ again: { id: due?.id, failureCount: 0 }, others: [] });
        const [row] = await bed.database.query(testStatement`
          select state::text, status, delivered_at as "deliveredAt" from webhook_delivery where id = ${due?.id}::uuid`);
        expect(row).toEqual({ state: "SCHEDULED", status: outcome.status, deliveredAt: null });
      }
      await bed.database.query(testStatement`delete from webhook_delivery`);
    }
  });

  it("drops a MEMBER_STAYED that fell due while the webhook was off", async () => {
    const { id } = await make(["MEMBER_STAYED"], 1000);
    await join(1);
    await join(2);
    await webhooks.update({ id, isEnabled: false });
    await join(3);
    await bed.database.query(testStatement`
      update webhook_delivery set due_at = now() - interval '1 second' where position = (select min(position) from webhook_delivery)`);
    await webhooks.update({ id, isEnabled: true });
    expect(await statesOf(id)).toEqual(["SCHEDULED"]);
  });

  it("drops what waits for its first attempt when the webhook is not told of it any more", async () => {
    const { id } = await make(["LINK_REVOKED", "MEMBER_JOINED", "MEMBER_STAYED"], 1000);
    const other = await storeChannel(bed.database);
    await webhooks.update({ id, chatIds: null });
    await tell();
    await tell(1, other.id);
    await join(1);
    await webhooks.update({ id, eventTypes: ["LINK_REVOKED", "MEMBER_STAYED"] });
    expect(await statesOf(id)).toEqual(["QUEUED", "QUEUED", "SCHEDULED"]);
    await webhooks.update({ id, eventTypes: ["LINK_REVOKED"], holdSeconds: null });
    expect(await statesOf(id)).toEqual(["QUEUED", "QUEUED"]);
    await webhooks.update({ id, chatIds: [other.chatId] });
    await queue.claim([]);
    const due = await queue.take(id, [], 10);
    expect(due.map(({ content }) => content.channelId)).toEqual([other.chatId]);
  });

  it("sends nothing of a channel that the webhook has lost, whatever brought it into the queue", async () => {
    const { id } = await make(["LINK_REVOKED"]);
    const other = await storeChannel(bed.database);
    await webhooks.update({ id, chatIds: [channel.chatId, other.chatId] });
    await tell(2);
    await tell(2, other.id);
    await queue.claim([]);
    const [, , attempted, delivered] = await queue.take(id, [], 10);
    await queue.finish(id, URL_OF_MINE, [{ ...REFUSED, ...attemptOf(attempted), failureCount: 0 }]);
    await queue.finish(id, URL_OF_MINE, [{ ...DELIVERED, ...attemptOf(delivered), failureCount: 0 }]);
    await webhooks.update({ id, chatIds: [channel.chatId] });
    // As an event that was stored at the same time.
    await bed.database.query(testStatement`
      insert into webhook_delivery (id, webhook_id, channel_id, event_id, created_at, occurred_at, event_type, state)
      values (${newId()}::uuid, ${id}::uuid, ${other.id}::uuid, ${newId()}::uuid, now(), now(), 'LINK_REVOKED', 'QUEUED')`);
    await hurry();
    const due = await queue.take(id, [], 10);
    expect(due.map(({ content }) => content.channelId)).toEqual([channel.chatId, channel.chatId]);
    expect(await statesOf(id)).toEqual(["QUEUED", "QUEUED", "FAILED", "DELIVERED"]);
    const all = deliveriesOf(null);
    const own = deliveriesOf([channel.chatId]);
    for (const deliveryIds of [[attempted?.id ?? ""], [delivered?.id ?? "", due[0]?.id ?? ""]]) {
      await expect(all.redeliver({ deliveryIds })).rejects.toThrow(ValidationError);
      await expect(own.redeliver({ deliveryIds })).rejects.toThrow(NotFoundError);
    }
    const shown = async (of: Deliveries) => {
      const page = await of.page(id, { first: 10 });
      return { rows: page.edges.length, total: await page.totalCount() };
    };
    expect([await shown(all), await shown(own)]).toEqual([
      { rows: 4, total: 4 },
      { rows: 2, total: 2 },
    ]);
    expect(await own.find(delivered?.id ?? "")).toBeNull();
    expect(await own.find(due[0]?.id ?? "")).not.toBeNull();
  });

  it("sends the content that it has once made, without the person's id in the table", async () => {
    const { id } = await make(["MEMBER_JOINED"]);
    await join(777_888_999);
    await queue.claim([]);
    const [first] = await queue.take(id, [], 10);
    expect(first?.person).toBe(777_888_999);
    const [row] = await bed.database.query<{ text: string }>(
      testStatement`select row_to_json(d)::text as text from webhook_delivery d where webhook_id = ${id}::uuid`,
    );
    expect(row?.text).not.toContain("777888999");
    await bed.database.query(
      testStatement`update member_event set user_id = -5, path = 'ADDED' where user_id = 777888999`,
    );
    const [second] = await queue.take(id, [], 10);
    expect(second).toEqual({ ...first, person: "erased" });
  });

  it("follows a chat migration, also where two channels become one", async () => {
    const { id } = await make(["MEMBER_JOINED"]);
    await join(4);
    await queue.claim([]);
    const [delivered] = await queue.take(id, [], 10);
    await queue.finish(id, URL_OF_MINE, [{ ...DELIVERED, ...attemptOf(delivered), failureCount: 0 }]);
    await join(5);
    const to = await storeChannel(bed.database);
    await bed.database.query(testStatement`
      insert into audit_entry (id, at, caller, action, subject_id, channel_id, change)
      values (${newId()}::uuid, now(), 'server', 'channel.store', ${to.id}::uuid, ${to.id}::uuid, '{}')`);
    await followMigration(
      { database: bed.database, callerCache: noKnownCallers },
      { chatIds: null },
      channel.chatId,
      to.chatId,
    );
    expect((await webhooks.list()).map(({ chatIds }) => chatIds)).toEqual([[to.chatId]]);
    // Who does not know of the migration still names the former id.
    expect((await make(["LINK_REVOKED"])).chatIds).toEqual([to.chatId]);
    const changed = await webhooks.update({ id, chatIds: [channel.chatId, to.chatId] });
    expect(changed.chatIds).toEqual([to.chatId]);
    const [due] = await queue.take(id, [], 10);
    expect(due).toMatchObject({ person: 5, content: { channelId: to.chatId, type: "member.joined" } });
    const deliveries = deliveriesOf([to.chatId]);
    expect((await deliveries.page(id, { first: 10 })).edges.map(({ node }) => node.state)).toEqual([
      "WAITING",
      "DELIVERED",
    ]);
    await deliveries.redeliver({ deliveryIds: [delivered?.id ?? ""] });
    const again = await queue.take(id, [due?.id ?? ""], 10);
    expect(again).toMatchObject([{ id: delivered?.id, content: delivered?.content, person: 4 }]);
  });

  it("lets what has waited longest begin first, new events in their order", async () => {
    const { id } = await make(["LINK_REVOKED"]);
    const later = sql`interval '1 minute'`;
    await tell();
    await queue.claim([]);
    const [retried] = await queue.take(id, [], 10);
    await queue.finish(id, URL_OF_MINE, [{ ...REFUSED, ...attemptOf(retried), failureCount: 0 }]);
    await hurry();
    await tell(4);
    const idsOf = (due: readonly DueDelivery[]) => due.map((delivery) => delivery.id);
    const stored = await bed.database.query<{ id: string }>(testStatement`
      update webhook_delivery d set created_at = case rank when 1 then now() + ${later} when 2 then now() - ${later}
        when 3 then now() + ${later} else now() + 2 * ${later} end, due_at = case rank when 0 then now() - ${later} / 2 end
      from (select id, row_number() over (order by position) - 1 as rank from webhook_delivery) ranked
      where ranked.id = d.id returning d.id, d.position`);
    expect(stored).toHaveLength(5);
    const news = await bed.database.query<{ id: string }>(
      testStatement`select id from webhook_delivery where state = 'QUEUED' order by position`,
    );
    const [one, two, three, four] = idsOf(news as DueDelivery[]);
    expect(idsOf(await queue.take(id, [], 10))).toEqual([retried?.id, one, two, three, four]);
    await bed.database.query(testStatement`
      update webhook_delivery set created_at = now() - ${later} where id = any(${[one, two]}::uuid[])`);
    expect(idsOf(await queue.take(id, [], 3))).toEqual([one, two, retried?.id]);
    expect(idsOf(await queue.take(id, [], 2))).toEqual([one, two]);
  });

  it("tells that a member has stayed whose id the event has lost, and keeps that for 30 days from then", async () => {
    const { id } = await make(["MEMBER_STAYED"], 1000);
    await join(1);
    await join(2);
    const day = sql`interval '1 day'`;
    await bed.database.query(
      testStatement`update member_event set user_id = -9, occurred_at = occurred_at - 29 * ${day}`,
    );
    await bed.database.query(testStatement`update membership set joined_at = joined_at - 29 * ${day}`);
    await bed.database.query(testStatement`update membership set left_at = now() - ${day} where user_id = 2`);
    await bed.database.query(testStatement`
      update webhook_delivery set id = ('01800000' || substr(id::text, 9))::uuid, created_at = now() - 31 * ${day},
        occurred_at = now(), due_at = now()`);
    await queue.claim([]);
    const [due, ...others] = await queue.take(id, [], 10);
    expect({ due, others }).toMatchObject({ due: { person: "erased" }, others: [] });
    await queue.finish(id, URL_OF_MINE, [{ ...DELIVERED, ...attemptOf(due), failureCount: 0 }]);
    await queue.prune();
    expect(await statesOf(id)).toEqual(["DELIVERED"]);
  });

  it("deletes what ended more than 30 days ago, and what belongs to no webhook", async () => {
    const kept = await make(["LINK_REVOKED"]);
    const deleted = await make(["LINK_REVOKED"]);
    await tell(3);
    await webhooks.delete({ id: deleted.id });
    await bed.database.query(testStatement`
      update webhook_delivery set id = ('01800000' || substr(id::text, 9))::uuid, created_at = now() - interval '31 days',
        occurred_at = now() - interval '31 days',
        state = case when position % 2 = 0 then 'DELIVERED' else 'QUEUED' end::webhook_delivery_state
      where webhook_id = ${kept.id}::uuid and position < (select max(position) from webhook_delivery where webhook_id = ${kept.id}::uuid)`);
    await queue.prune();
    expect(await statesOf(kept.id)).toEqual(["QUEUED"]);
    expect(await statesOf(deleted.id)).toEqual([]);
    expect(await queue.status()).toMatchObject({ waiting: 1 });
  });
});

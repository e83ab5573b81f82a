import { afterAll, beforeAll, expect, it } from "vitest";
import type { NamedStatement } from "../../../src/database/statement.js";
import { newId } from "../../../src/domain/shared/ids.js";
import { DeliveryQueue } from "../../../src/domain/webhooks/deliveryQueue.js";
import { ALL_FORMS, describeOnForms, openTestDatabase, type TestDatabase } from "../../support/databases.js";
import { planOf, rowsRead, type SentStatement, tablesReadWhole } from "../../support/plans.js";
import { storeChannel } from "../support.js";

/** Deliveries of each of three webhooks: most are history, many wait for their time, few are due. */
const HISTORY = 10_000;
const LATER = 3000;
const FEW = 40;
const LIMIT = 10;

await describeOnForms("the statements of a queue with very many deliveries", ALL_FORMS, (form) => {
  let bed: TestDatabase;
  let sent: SentStatement[];
  let queue: DeliveryQueue;
  let webhookIds: string[];
  const serverId = newId();

  beforeAll(async () => {
    bed = await openTestDatabase(form);
    const channel = await storeChannel(bed.database);
    const { pool } = bed;
    await pool.query(
      `insert into member_event (channel_id, sequence, id, user_id, occurred_at, kind, attribution, path)
      select $1, n, gen_random_uuid(), n, now(), 'JOINED', 'NONE', 'DIRECT' from generate_series(1, ${HISTORY}) n`,
      [channel.id],
    );
    webhookIds = [newId(), newId(), newId()];
    await pool.query(
      `insert into webhook (id, url, format, event_types, created_at)
      select id, 'http://127.0.0.1/', 'POSTBACK', '{MEMBER_JOINED}', now() from unnest($1::uuid[]) id`,
      [webhookIds],
    );
    const store = (count: number, state: string, due: string) =>
      pool.query(
        `insert into webhook_delivery (id, webhook_id, channel_id, event_id, created_at, occurred_at, due_at, event_type, state)
        select (substr(id_beginning(), 1, 15) || substr(gen_random_uuid()::text, 16))::uuid,
          w, e.channel_id, e.id, now(), now(), ${due}, 'MEMBER_JOINED', '${state}'
        from unnest($1::uuid[]) w cross join (select * from member_event order by sequence limit ${count}) e`,
        [webhookIds],
      );
    await store(HISTORY, "DELIVERED", "null");
    await store(LATER, "SCHEDULED", "now() + interval '1 day'");
    await store(FEW, "QUEUED", "null");
    await store(FEW, "SCHEDULED", "now() - interval '1 minute'");
    await pool.query("vacuum analyze");
    const query = <Row>(statement: NamedStatement): Promise<Row[]> => {
      sent.push(statement);
      return bed.database.query<Row>(statement);
    };
    queue = new DeliveryQueue({ query }, { ...bed.database, query }, { id: serverId, judges: true });
  });
  afterAll(() => bed?.close());

  /** Runs the statements that `work` sends once more, as each kind of plan. */
  async function expectFewRead(work: () => Promise<unknown>, most: number): Promise<void> {
    sent = [];
    await work();
    expect(sent.length).toBeGreaterThan(0);
    for (const statement of sent) {
      for (const kind of ["custom", "generic"] as const) {
        const plan = await planOf(bed.pool, statement, kind);
        const read = rowsRead(plan);
        for (const table of ["webhook_delivery", "member_event"]) {
          const seen = { text: statement.text, kind, table, read: (read.get(table) ?? 0) <= most };
          expect(seen).toEqual({ ...seen, read: true });
          expect(tablesReadWhole(plan)).not.toContain(table);
        }
      }
    }
  }

  it("read what is due by indexes, at a look and when deliveries are taken", async () => {
    await expectFewRead(async () => {
      await queue.isUsed();
      await queue.claim([]);
      await queue.read(webhookIds);
      await queue.renew(webhookIds);
    }, 2 * webhookIds.length);
    const [webhookId = ""] = webhookIds;
    await queue.claim([]);
    const due = await queue.take(webhookId, [], LIMIT);
    expect(due).toHaveLength(LIMIT);
    const begun = due.map(({ id }) => id);
    await expectFewRead(() => queue.take(webhookId, begun, LIMIT), 8 * LIMIT);
  });

  it("store outcomes by the keys of their deliveries", async () => {
    const [webhookId = ""] = webhookIds;
    await queue.claim([]);
    const due = await queue.take(webhookId, [], LIMIT);
    await expectFewRead(
      () =>
        queue.finish(
          webhookId,
          "http://127.0.0.1/",
          due.map(({ id, failureCount, dueAt }) => ({
            id,
            failureCount,
            dueAt,
            isDelivered: true,
            status: 204,
            error: null,
          })),
        ),
      2 * LIMIT,
    );
  });

  it("count what waits without what is over", async () => {
    await expectFewRead(() => queue.status(), webhookIds.length * FEW);
  });

  it("find what is to be deleted without what is kept", async () => {
    await expectFewRead(() => queue.prune(), 2 * webhookIds.length);
  });
});

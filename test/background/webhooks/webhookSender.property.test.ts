import fc from "fast-check";
import { pino } from "pino";
import type { Sql } from "sql-template-tag";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { ReceiverCalls, ReceiverRequest } from "../../../src/background/webhooks/receiverCalls.js";
import { WebhookSender } from "../../../src/background/webhooks/webhookSender.js";
import { audit, SERVER } from "../../../src/domain/shared/audit.js";
import { globalId, newId } from "../../../src/domain/shared/ids.js";
import type { AttemptOutcome } from "../../../src/domain/webhooks/deliveryQueue.js";
import { DeliveryQueue } from "../../../src/domain/webhooks/deliveryQueue.js";
import { type StoredChannel, storeChannel } from "../../domain/support.js";
import { describeOnForms, openTestDatabase, type TestDatabase } from "../../support/databases.js";
import { propertyInTime } from "../../support/properties.js";
import { testStatement } from "../../support/statement.js";
import { until } from "./receiver.js";

const NEVER = new Promise<never>(() => {});
const REFUSED = { isDelivered: false, status: 500, error: "The receiver answered 500." };
const ACCEPTED = { isDelivered: true, status: 204, error: null };

interface Attempt {
  readonly id: string;
  readonly text: string | null;
  readonly isAccepted: boolean;
}

/** What servers do to one receiver, until they are killed. */
interface World {
  readonly attempts: Attempt[];
  /** Of the next attempts; then all are accepted. */
  readonly answers: { readonly isAccepted: boolean; readonly takesMs: number }[];
  /** Before which attempts, counted from the first, the server that makes it is killed after the receiver got it. */
  readonly kills: Set<number>;
}

/** A server that can be killed: then no statement and no attempt of it has any further effect, or is answered. */
class MortalServer {
  isAlive = true;
  readonly sender: WebhookSender;

  constructor(bed: TestDatabase, world: World) {
    const whileAlive = async <T>(work: () => Promise<T>): Promise<T> => {
      if (!this.isAlive) return NEVER;
      const result = await work();
      return this.isAlive ? result : NEVER;
    };
    const query = <Row>(text: Sql) => whileAlive(() => bed.database.query<Row>(testStatement`${text}`));
    const calls: Pick<ReceiverCalls, "call" | "close"> = {
      call: (request, onBegun) => whileAlive(() => this.#call(world, request, onBegun)),
      close: async () => {},
    };
    this.sender = new WebhookSender({
      queue: new DeliveryQueue({ query }, { ...bed.database, query }, { id: newId(), judges: true }),
      calls,
      log: pino({ level: "silent" }),
      onAttempt: () => {},
      onDatabaseError: () => {},
      times: { lookMs: 5, restMs: 1, gatherMs: 1, endMs: 20 },
    });
    this.sender.start();
  }

  async #call(
    world: World,
    { headers, body }: ReceiverRequest,
    onBegun: () => void,
  ): Promise<AttemptOutcome> {
    const { isAccepted, takesMs } = world.answers.shift() ?? { isAccepted: true, takesMs: 0 };
    world.attempts.push({ id: headers["webhook-id"] ?? "", text: body, isAccepted });
    if (world.kills.has(world.attempts.length)) this.isAlive = false;
    await new Promise(setImmediate);
    onBegun();
    await new Promise((resolve) => setTimeout(resolve, takesMs));
    return isAccepted ? ACCEPTED : REFUSED;
  }
}

await describeOnForms("servers that are killed at any moment", ["embedded"], (form) => {
  let bed: TestDatabase;
  let channel: StoredChannel;

  beforeAll(async () => {
    bed = await openTestDatabase(form);
    channel = await storeChannel(bed.database);
  });
  afterAll(() => bed?.close());

  const tell = (count: number) =>
    bed.database.transaction((unit) =>
      audit(
        unit,
        SERVER,
        ...Array.from({ length: count }, () => ({
          action: "inviteLink.revoke" as const,
          subjectId: newId(),
          channelId: channel.id,
          change: {},
        })),
      ),
    );

  const scenario = fc.record({
    batches: fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 3 }),
    // Fewer refusals than make a delivery fail for good.
    answers: fc.array(
      fc.record({
        isAccepted: fc.boolean(),
        takesMs: fc.integer({ min: 0, max: 5 }),
      }),
      { maxLength: 40 },
    ),
    kills: fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 3 }),
  });

  it("begin deliveries in the order of their events, each until it was accepted, always with the same bytes", async () => {
    await fc.assert(
      propertyInTime(scenario, async ({ batches, answers, kills }) => {
        const webhookId = newId();
        await bed.database.query(testStatement`
          insert into webhook (id, url, format, secret, event_types, created_at)
          values (${webhookId}::uuid, 'http://127.0.0.1/', 'STANDARD', 'whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cw==',
            '{LINK_REVOKED}', now())`);
        const world: World = { attempts: [], answers: [...answers], kills: new Set(kills) };
        let server = new MortalServer(bed, world);
        const stored = () =>
          bed.database.query<{ id: string; state: string; attempts: number }>(testStatement`
            select id, state::text, attempt_count as attempts from webhook_delivery
            where webhook_id = ${webhookId}::uuid order by position`);
        try {
          for (const count of batches) await tell(count);
          await until(async () => {
            if (!server.isAlive) server = new MortalServer(bed, world);
            await bed.database.query(
              testStatement`update webhook_delivery set due_at = now() where state = 'SCHEDULED' and due_at > now()`,
            );
            return (await stored()).every(({ state }) => state === "DELIVERED" || state === "FAILED");
          });
        } finally {
          await server.sender.stop();
          await bed.database.query(testStatement`delete from webhook where id = ${webhookId}::uuid`);
        }
        const deliveries = (await stored()).map((row) => ({
          ...row,
          id: globalId("WebhookDelivery", row.id),
        }));
        expect(deliveries).toHaveLength(batches.reduce((sum, count) => sum + count, 0));
        expect([...new Set(world.attempts.map(({ id }) => id))]).toEqual(deliveries.map(({ id }) => id));
        for (const { id, state, attempts } of deliveries) {
          const made = world.attempts.filter((attempt) => attempt.id === id);
          expect(new Set(made.map(({ text }) => text)).size).toBe(1);
          expect(made.length).toBeGreaterThanOrEqual(attempts);
          expect(state === "FAILED" || made.some(({ isAccepted }) => isAccepted)).toBe(true);
        }
        // Only refusals and kills have attempts made again.
        if (answers.every(({ isAccepted }) => isAccepted) && kills.length === 0)
          expect(world.attempts).toHaveLength(deliveries.length);
      }),
    );
  });
});

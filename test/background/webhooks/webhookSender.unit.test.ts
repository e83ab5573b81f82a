import { pino } from "pino";
import { expect, it } from "vitest";
import type { ReceiverCalls } from "../../../src/background/webhooks/receiverCalls.js";
import { WebhookSender } from "../../../src/background/webhooks/webhookSender.js";
import type {
  AttemptOutcome,
  DeliveryQueue,
  DueDelivery,
} from "../../../src/domain/webhooks/deliveryQueue.js";
import { until } from "./receiver.js";

const WEBHOOK = { id: "01991000-0000-7000-8000-000000000001", url: "http://127.0.0.1:1/" };
const ACCEPTED: AttemptOutcome = { isDelivered: true, status: 204, error: null };

const dueDelivery = (id: string): DueDelivery => ({
  id,
  url: WEBHOOK.url,
  secret: null,
  content: { type: "link.created", id: "", occurredAt: "2026-11-27T00:00:00.000Z", channelId: 1, data: {} },
  person: "nobody",
  failureCount: 0,
  dueAt: null,
});

/** The deliveries of one webhook in memory, with its lease. */
class MemoryQueue {
  due: DueDelivery[] = [];
  isLeased = false;
  looks = 0;
  /** Called in the middle of each look. */
  onLook = async (): Promise<void> => {};

  async isUsed(): Promise<boolean> {
    this.looks += 1;
    await this.onLook();
    return true;
  }

  async claim(held: readonly string[]): Promise<string[]> {
    if (this.due.length === 0 || held.includes(WEBHOOK.id)) return [];
    this.isLeased = true;
    return [WEBHOOK.id];
  }

  async read(): Promise<(typeof WEBHOOK)[]> {
    return this.isLeased ? [WEBHOOK] : [];
  }

  async release(): Promise<void> {
    this.isLeased = false;
  }

  async take(_webhookId: string, begun: readonly string[]): Promise<DueDelivery[]> {
    return this.due.filter(({ id }) => !begun.includes(id));
  }

  async finish(_webhookId: string, _url: string, ended: readonly { id: string }[]): Promise<boolean> {
    this.due = this.due.filter(({ id }) => !ended.some((attempt) => attempt.id === id));
    return false;
  }

  async status() {
    return { waiting: 0, lagSeconds: 0 };
  }
}

function senderOf(queue: MemoryQueue, call: () => Promise<AttemptOutcome>): WebhookSender {
  const calls: Pick<ReceiverCalls, "call" | "close"> = {
    call: (_request, onBegun) => {
      onBegun();
      return call();
    },
    close: async () => {},
  };
  return new WebhookSender({
    queue: queue as unknown as DeliveryQueue,
    calls,
    log: pino({ level: "silent" }),
    onAttempt: () => {},
    onDatabaseError: () => {},
    times: { lookMs: 5, restMs: 1, gatherMs: 1, endMs: 1000 },
  });
}

it("a sender that begins with a webhook again during the look in which it ended keeps the lease", async () => {
  const queue = new MemoryQueue();
  const answers: ((outcome: AttemptOutcome) => void)[] = [];
  const sender = senderOf(queue, () => new Promise((resolve) => answers.push(resolve)));
  queue.due = [dueDelivery("first")];
  sender.start();
  await until(() => answers.length === 1);
  queue.onLook = async () => {
    queue.onLook = async () => {};
    answers[0]?.(ACCEPTED);
    await until(() => queue.due.length === 0);
    // The sending ends when it has found nothing due.
    await new Promise((resolve) => setTimeout(resolve, 20));
    queue.due = [dueDelivery("second")];
  };
  await until(() => answers.length === 2);
  const looks = queue.looks;
  await until(() => queue.looks > looks + 2);
  expect(queue.isLeased).toBe(true);
  answers[1]?.(ACCEPTED);
  await until(() => !queue.isLeased);
  await sender.stop();
});

it("a sender that is stopped while it takes leases sends nothing by them", async () => {
  const queue = new MemoryQueue();
  let sent = 0;
  const sender = senderOf(queue, async () => {
    sent += 1;
    return ACCEPTED;
  });
  queue.due = [dueDelivery("first")];
  let stopped = Promise.resolve();
  queue.onLook = async () => {
    queue.onLook = async () => {};
    stopped = sender.stop();
  };
  sender.start();
  await until(() => queue.looks > 0);
  await stopped;
  expect(sent).toBe(0);
  expect(queue.isLeased).toBe(false);
});

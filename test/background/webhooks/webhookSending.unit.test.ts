import { expect, it } from "vitest";
import { Slots } from "../../../src/background/webhooks/slots.js";
import { type SendingHost, WebhookSending } from "../../../src/background/webhooks/webhookSending.js";
import type { DueDelivery } from "../../../src/domain/webhooks/deliveryQueue.js";

const DUE: DueDelivery = {
  id: "01991000-0000-7000-8000-000000000010",
  url: "http://127.0.0.1:1/",
  secret: null,
  content: { type: "link.created", id: "", occurredAt: "2026-11-27T00:00:00.000Z", channelId: 1, data: {} },
  person: "nobody",
  failureCount: 0,
  dueAt: null,
};

/** A webhook with one delivery, which is due until it is sent. */
function sendingOf(rest: Partial<SendingHost>) {
  const sent: string[] = [];
  let due = [DUE];
  const take = async (): Promise<DueDelivery[]> => due;
  const host = {
    queue: { take, finish: async () => false },
    calls: {
      call: async (_request: unknown, onBegun: () => void) => {
        onBegun();
        sent.push(DUE.id);
        due = [];
        return { isDelivered: true, status: 204, error: null };
      },
    },
    slots: new Slots(1),
    gatherMs: 1,
    mayBegin: () => true,
    insist: <T>(work: () => Promise<T>) => work(),
    onAttempt: () => {},
    ...rest,
  } as unknown as SendingHost;
  return { sending: new WebhookSending(host, "a webhook"), host, sent };
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 20));

it("an attempt that has waited for others begins only with a lease that is certain", async () => {
  let isCertain = true;
  const slots = new Slots(1);
  await slots.take();
  const { sending, sent } = sendingOf({ slots, mayBegin: () => isCertain });
  const run = sending.run();
  await turn();
  isCertain = false;
  slots.give();
  await turn();
  expect(sent).toEqual([]);
  isCertain = true;
  sending.wake(DUE.url);
  await run;
  expect(sent).toEqual([DUE.id]);
  // The slot is free again.
  await slots.take();
});

it("a sending that is stopped while deliveries are taken is over when they are", async () => {
  let taken = (_due: DueDelivery[]): void => {};
  const queue = {
    take: () =>
      new Promise<DueDelivery[]>((resolve) => {
        taken = resolve;
      }),
  } as unknown as SendingHost["queue"];
  const { sending, host, sent } = sendingOf({ queue });
  const run = sending.run();
  await turn();
  sending.stop();
  taken([DUE]);
  await run;
  expect(sent).toEqual([]);
  await host.slots.take();
});

it("a delivery goes to the address that its webhook had when it was taken", async () => {
  const urls: string[] = [];
  const { sending } = sendingOf({
    queue: {
      take: async () =>
        [{ ...DUE, url: `http://127.0.0.1:1/${urls.length}` }].slice(Math.floor(urls.length / 2)),
      finish: async () => false,
    } as unknown as SendingHost["queue"],
    calls: {
      call: async ({ url }, onBegun) => {
        onBegun();
        urls.push(url);
        return { isDelivered: true, status: 204, error: null };
      },
    },
  });
  await sending.run();
  expect(urls).toEqual(["http://127.0.0.1:1/0", "http://127.0.0.1:1/1"]);
});

import { unavailabilityOf } from "../../database/failures.js";
import type { DeliveryQueue, HeldWebhook, QueueStatus } from "../../domain/webhooks/deliveryQueue.js";
import type { Logger } from "../../log.js";
import { pause, within } from "../updates/pause.js";
import type { ReceiverCalls } from "./receiverCalls.js";
import { Slots } from "./slots.js";
import { type AttemptEvent, type SendingHost, WebhookSending } from "./webhookSending.js";

/** Milliseconds. */
export interface SenderTimes {
  /** Between two looks at the queue, if nothing wakes the sender. */
  readonly lookMs: number;
  /** Between two looks at the least. */
  readonly restMs: number;
  /** Between two statements of a webhook. */
  readonly gatherMs: number;
  readonly renewMs: number;
  /** How long after a renewal attempts may begin. Shorter than the lease. */
  readonly sureMs: number;
  readonly databaseAgainMs: number;
  /** How long the end of the server waits for attempts. */
  readonly endMs: number;
  /** From the start to the first deletion of old deliveries. */
  readonly firstPruneMs: number;
  readonly pruneMs: number;
  readonly statusMs: number;
}

export const SENDER_TIMES: SenderTimes = {
  lookMs: 1000,
  restMs: 100,
  gatherMs: 50,
  renewMs: 4000,
  sureMs: 12_000,
  databaseAgainMs: 1000,
  endMs: 2000,
  firstPruneMs: 300_000,
  pruneMs: 3_600_000,
  statusMs: 10_000,
};

const NEVER = new AbortController().signal;

/** Attempts of all webhooks at a time. A dead receiver has one. */
const MAX_ATTEMPTS = 500;

export interface SenderOptions {
  readonly queue: DeliveryQueue;
  readonly calls: Pick<ReceiverCalls, "call" | "close">;
  readonly log: Logger;
  readonly onAttempt: (event: AttemptEvent) => void;
  /** Called when an error shows that the database may be unavailable. */
  readonly onDatabaseError: (error: unknown) => void;
  readonly times?: Partial<SenderTimes>;
}

interface OpenSending {
  readonly sending: WebhookSending;
  readonly done: Promise<void>;
}

/**
 * Sends the deliveries of webhooks. Every server does so, each the webhooks whose leases it has. The sender looks at the queue
 * when it is woken, and each second.
 */
export class WebhookSender {
  readonly #options: SenderOptions;
  readonly #times: SenderTimes;
  readonly #stopped = new AbortController();
  readonly #slots = new Slots(MAX_ATTEMPTS);
  readonly #sendings = new Map<string, OpenSending>();
  /** Webhooks whose leases are to be given back. */
  readonly #idle = new Set<string>();
  /** When the leases were last renewed or taken, by performance.now(). */
  #renewedAt = 0;
  #status: QueueStatus = { waiting: 0, lagSeconds: 0 };
  #statusAt = Number.NEGATIVE_INFINITY;
  #pruneAt: number;
  #housekeeping: Promise<void> | null = null;
  /** Whether any webhook was on when the sender last looked. */
  #isUsed = false;
  #isAwake = false;
  #wake = (): void => {};
  #running: Promise<void> = Promise.resolve();

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#times = { ...SENDER_TIMES, ...options.times };
    this.#pruneAt = performance.now() + this.#times.firstPruneMs;
  }

  get status(): QueueStatus {
    return this.#status;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Has the sender look at the queue soon, because member events were stored. Without a webhook there is nothing to see. */
  wakeForEvents(): void {
    if (this.#isUsed) this.wake();
  }

  /** Has the sender look at the queue soon. */
  wake(): void {
    this.#isAwake = true;
    this.#wake();
  }

  /** Begins no further attempt, waits a moment for those that run, and gives the leases back. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#wake();
    const { queue, calls } = this.#options;
    const soon = (work: Promise<unknown>) => within(work, this.#times.endMs, NEVER);
    await soon(this.#running);
    const open = [...this.#sendings.values()];
    for (const { sending } of open) sending.stop();
    const done = Promise.all(open.map((sending) => sending.done));
    if ((await soon(done)) === "late") {
      for (const { sending } of open) sending.abort();
      await soon(done);
    }
    await calls.close();
    const held = [...this.#sendings.keys(), ...this.#idle];
    // A lease that is not given back runs out.
    if (held.length > 0) await soon(queue.release(held).catch(() => {}));
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      this.#isAwake = false;
      let again = this.#times.lookMs;
      try {
        await this.#look();
      } catch (error) {
        this.#failed(error);
        again = this.#times.databaseAgainMs;
      }
      await pause(this.#times.restMs, signal);
      if (!this.#isAwake) await this.#sleep(again);
    }
  }

  #sleep(milliseconds: number): Promise<void> {
    const { signal } = this.#stopped;
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #look(): Promise<void> {
    const { queue } = this.#options;
    const idle = [...this.#idle];
    this.#idle.clear();
    if (idle.length > 0) await queue.release(idle);
    const held = [...this.#sendings.keys()];
    const started = performance.now();
    if (held.length > 0 && started - this.#renewedAt >= this.#times.renewMs) {
      this.#wakeSendings(held, await queue.renew(held));
      this.#renewedAt = started;
    } else if (held.length > 0) this.#wakeSendings(held, await queue.read(held));
    this.#keepHouseNow();
    this.#isUsed = await queue.isUsed();
    if (!this.#isUsed) return;
    for (const id of await queue.claim([...this.#sendings.keys()])) {
      if (this.#stopped.signal.aborted) this.#idle.add(id);
      else this.#open(id, started);
    }
  }

  /** Beside the looks, which it must not hold up. */
  #keepHouseNow(): void {
    this.#housekeeping ??= this.#keepHouse().finally(() => {
      this.#housekeeping = null;
    });
  }

  /** @param kept those of the webhooks that this server still has and that are on. */
  #wakeSendings(held: readonly string[], kept: readonly HeldWebhook[]): void {
    const known = new Map(kept.map(({ id, url }) => [id, url]));
    for (const webhookId of held) {
      const sending = this.#sendings.get(webhookId)?.sending;
      const url = known.get(webhookId);
      if (url === undefined) sending?.stop();
      else sending?.wake(url);
    }
  }

  #open(webhookId: string, at: number): void {
    // An earlier sending may have ended since the look began. Its lease is this one's now.
    this.#idle.delete(webhookId);
    if (this.#sendings.size === 0) this.#renewedAt = at;
    const { queue, calls, onAttempt, log } = this.#options;
    const host: SendingHost = {
      queue,
      calls,
      slots: this.#slots,
      gatherMs: this.#times.gatherMs,
      mayBegin: () => performance.now() - this.#renewedAt < this.#times.sureMs,
      insist: (work) => this.#insist(work),
      onAttempt,
    };
    const sending = new WebhookSending(host, webhookId);
    const done = sending
      .run()
      .catch((error: unknown) => log.error({ err: error }, "sending to a webhook failed unexpectedly"))
      .then(() => {
        this.#sendings.delete(webhookId);
        this.#idle.add(webhookId);
        this.wake();
      });
    this.#sendings.set(webhookId, { sending, done });
  }

  async #insist<T>(work: () => Promise<T>): Promise<T | undefined> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        this.#failed(error);
        if (this.#stopped.signal.aborted) return undefined;
        await pause(this.#times.databaseAgainMs, this.#stopped.signal);
      }
    }
  }

  async #keepHouse(): Promise<void> {
    const { queue } = this.#options;
    const now = performance.now();
    try {
      if (now - this.#statusAt >= this.#times.statusMs) {
        this.#statusAt = now;
        this.#status = await queue.status();
      }
      if (now >= this.#pruneAt) {
        this.#pruneAt = now + this.#times.pruneMs;
        await queue.prune();
      }
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    if (this.#stopped.signal.aborted) return;
    if (unavailabilityOf(error) === null)
      this.#options.log.error({ err: error }, "the queue of webhook deliveries failed unexpectedly");
    else this.#options.onDatabaseError(error);
  }
}

import { setMaxListeners } from "node:events";
import type {
  AttemptOutcome,
  DeliveryQueue,
  DueDelivery,
  FinishedAttempt,
} from "../../domain/webhooks/deliveryQueue.js";
import { pause } from "../updates/pause.js";
import { requestOf } from "./deliveryRequest.js";
import { MAX_CONNECTIONS, type ReceiverCalls } from "./receiverCalls.js";
import type { Slots } from "./slots.js";

/** The most deliveries that are taken at a time. */
const MAX_TAKEN = 100;
/** Deliveries that are taken for each attempt that may run, so that few are held by a server that sends slowly. */
const TAKEN_PER_ATTEMPT = 5;
/** How long after they were taken deliveries may begin, in milliseconds. */
const FRESH_MS = 500;
const GONE = 410;

interface Outcome {
  /** That was called, with its macros. */
  readonly url: string;
  readonly attempt: FinishedAttempt;
}

/** An attempt that is over. */
export interface AttemptEvent extends AttemptOutcome {
  readonly webhookId: string;
  readonly method: string;
  readonly milliseconds: number;
}

export interface SendingHost {
  readonly queue: DeliveryQueue;
  readonly calls: Pick<ReceiverCalls, "call">;
  /** Attempts of all webhooks at a time. */
  readonly slots: Slots;
  /**
   * Between two statements that take deliveries, unless more are known to be due, and between two that store outcomes, in
   * milliseconds. A statement for a few deliveries costs nearly as much as one for a hundred.
   */
  readonly gatherMs: number;
  /** Whether this server still has the lease for certain. */
  mayBegin(): boolean;
  /** Runs a statement, again and again while the database does not answer. Undefined: the server stops. */
  insist<T>(work: () => Promise<T>): Promise<T | undefined>;
  onAttempt(event: AttemptEvent): void;
}

/**
 * Sends the deliveries of one webhook until none is due. Each attempt begins when the one before it was written. How many run
 * at a time begins with one, grows with each success and falls back to one with a failure, so that a dead receiver occupies
 * next to nothing.
 */
export class WebhookSending {
  readonly #host: SendingHost;
  readonly #stopped = new AbortController();
  /** Ends the attempts that run. */
  readonly #aborted = new AbortController();
  /** Deliveries that are being sent, or whose outcome is not stored yet. */
  readonly #begun = new Set<string>();
  readonly #webhookId: string;
  #window = 1;
  #running = 0;
  #finished: Outcome[] = [];
  /** The address that the sender saw last. */
  #seen: { readonly url: string; readonly at: number } | undefined;
  #isStoring = false;
  #onProgress = (): void => {};

  constructor(host: SendingHost, webhookId: string) {
    this.#host = host;
    this.#webhookId = webhookId;
    // Each attempt that runs listens.
    setMaxListeners(MAX_CONNECTIONS, this.#aborted.signal);
  }

  /** Looks for deliveries again, because something may have become due. @param url of the webhook */
  wake(url: string): void {
    this.#seen = { url, at: performance.now() };
    this.#onProgress();
  }

  /** Begins no further attempt. */
  stop(): void {
    this.#stopped.abort();
    this.#onProgress();
  }

  /** Ends the attempts that run; they count as not made. */
  abort(): void {
    this.stop();
    this.#aborted.abort();
  }

  /** Resolves when nothing is due and every outcome is stored. */
  async run(): Promise<void> {
    // The slot comes first, so that it is not waited for with deliveries that were taken.
    while (await this.#takeSlot()) {
      const limit = Math.min(MAX_TAKEN, this.#window * TAKEN_PER_ATTEMPT);
      const due = await this.#host.insist(() =>
        this.#host.queue.take(this.#webhookId, [...this.#begun], limit),
      );
      const gathered = due?.length === limit ? undefined : pause(this.#host.gatherMs, this.#stopped.signal);
      const hasBegun = await this.#beginAll(due ?? []);
      if (!due || (due.length === 0 && this.#begun.size === 0)) break;
      if (!hasBegun && !this.#stopped.signal.aborted) await this.#progress();
      await gathered;
    }
    while (this.#begun.size > 0) await this.#progress();
  }

  /**
   * Begins attempts in their order, the first in the slot that was taken. A delivery that had to wait is left to be taken anew:
   * its person may have been erased, or have left, meanwhile.
   * @returns whether there is something to take at once
   */
  async #beginAll(due: readonly DueDelivery[]): Promise<boolean> {
    const takenAt = performance.now();
    let hasBegun = false;
    for (const delivery of due) {
      if (hasBegun && !(await this.#takeSlot())) return true;
      const isMoved = this.#seen !== undefined && this.#seen.at > takenAt && this.#seen.url !== delivery.url;
      if (!this.#mayBegin() || isMoved || performance.now() - takenAt > FRESH_MS) {
        this.#host.slots.give();
        return hasBegun;
      }
      await this.#begin(delivery);
      hasBegun = true;
    }
    if (!hasBegun) this.#host.slots.give();
    return hasBegun;
  }

  #mayBegin(): boolean {
    return !this.#stopped.signal.aborted && this.#host.mayBegin();
  }

  /** Waits until another attempt may begin, and takes the slot for it. False: none may any more. */
  async #takeSlot(): Promise<boolean> {
    const { slots } = this.#host;
    while (this.#running >= this.#window && !this.#stopped.signal.aborted) await this.#progress();
    if (this.#stopped.signal.aborted) return false;
    await slots.take();
    if (!this.#stopped.signal.aborted) return true;
    slots.give();
    return false;
  }

  /** Resolves when an attempt is over, an outcome is stored, or the sending is stopped. */
  #progress(): Promise<void> {
    return new Promise((resolve) => {
      this.#onProgress = resolve;
    });
  }

  /** Begins an attempt in a slot that was taken. Resolves when its request is written, or it is over before. */
  async #begin(delivery: DueDelivery): Promise<void> {
    this.#running += 1;
    this.#begun.add(delivery.id);
    await new Promise<void>((resolve) => {
      void this.#attempt(delivery, resolve);
    });
  }

  /** Makes an attempt. Never fails. */
  async #attempt(delivery: DueDelivery, onBegun: () => void): Promise<void> {
    const { calls, slots } = this.#host;
    const request = requestOf(this.#webhookId, delivery, new Date());
    const started = performance.now();
    const outcome = await calls.call(request, onBegun, this.#aborted.signal);
    const milliseconds = performance.now() - started;
    slots.give();
    this.#running -= 1;
    if (this.#aborted.signal.aborted) this.#begun.delete(delivery.id);
    else {
      const { webhookId, method } = request;
      this.#host.onAttempt({ ...outcome, webhookId, method, milliseconds });
      this.#end(delivery, outcome);
    }
    this.#onProgress();
  }

  #end({ id, url, failureCount, dueAt }: DueDelivery, outcome: AttemptOutcome): void {
    this.#window = outcome.isDelivered ? Math.min(this.#window + 1, MAX_CONNECTIONS) : 1;
    this.#finished.push({ url, attempt: { ...outcome, id, failureCount, dueAt } });
    if (!this.#isStoring) void this.#store();
  }

  /** Stores outcomes: the first at once, those that come meanwhile together, for each address that was called. */
  async #store(): Promise<void> {
    const { queue, insist, gatherMs } = this.#host;
    this.#isStoring = true;
    for (let first = this.#finished[0]; first; first = this.#finished[0]) {
      const { url } = first;
      const finished = this.#finished.filter((outcome) => outcome.url === url).map(({ attempt }) => attempt);
      this.#finished = this.#finished.filter((outcome) => outcome.url !== url);
      const isOver = await insist(() => queue.finish(this.#webhookId, url, finished));
      if (finished.some(({ status }) => status === GONE))
        await this.#disable(url, `The receiver answered ${GONE} (Gone).`);
      else if (isOver) await this.#disable(url, "No delivery has succeeded for five days.");
      for (const { id } of finished) this.#begun.delete(id);
      this.#onProgress();
      await pause(gatherMs, this.#stopped.signal);
    }
    this.#isStoring = false;
  }

  /** Begins no further attempt. If the webhook has another address by now, its next look finds what is due. */
  async #disable(url: string, reason: string): Promise<void> {
    this.#stopped.abort();
    await this.#host.insist(() => this.#host.queue.disable(this.#webhookId, url, reason));
  }
}

import { setTimeout } from "node:timers/promises";
import { unixSeconds } from "./context.js";
import type { PendingUpdate, SandboxState } from "./state.js";
import type { Storage } from "./storage.js";

const FIRST_WAIT_MS = 50;
const MAX_WAIT_MS = 5_000;
const ANSWER_TIMEOUT_MS = 10_000;

/** Sends the queued updates to the webhook, one at a time and in order. A failed delivery is repeated. */
export class WebhookDelivery {
  readonly #state: SandboxState;
  readonly #storage: Storage;
  readonly #now: () => number;
  #run: AbortController | undefined;
  #closed = false;

  constructor(state: SandboxState, storage: Storage, now: () => number) {
    this.#state = state;
    this.#storage = storage;
    this.#now = now;
  }

  /** Starts the delivery unless it is running. */
  wake(): void {
    if (this.#closed || this.#run || !this.#state.webhook || this.#state.updates.length === 0) {
      return;
    }
    const run = new AbortController();
    this.#run = run;
    const ended = () => {
      if (this.#run === run) {
        this.#run = undefined;
        this.wake();
      }
    };
    this.#deliver(run.signal).then(ended, ended);
  }

  /** Stops the delivery. Undelivered updates stay in the queue. */
  stop(): void {
    this.#run?.abort();
    this.#run = undefined;
  }

  close(): void {
    this.#closed = true;
    this.stop();
  }

  async #deliver(signal: AbortSignal): Promise<void> {
    let wait = FIRST_WAIT_MS;
    for (let update = this.#state.updates[0]; update; update = this.#state.updates[0]) {
      const failure = await this.#send(update, signal);
      if (signal.aborted || !this.#state.webhook) {
        return;
      }
      if (failure === undefined) {
        const delivered = update.update_id;
        this.#state.updates = this.#state.updates.filter(({ update_id }) => update_id !== delivered);
        this.#storage.changed();
        wait = FIRST_WAIT_MS;
      } else {
        this.#state.webhook.lastError = { date: unixSeconds({ now: this.#now }), message: failure };
        this.#storage.changed();
        await setTimeout(wait, undefined, { signal }).catch(() => {});
        wait = Math.min(wait * 2, MAX_WAIT_MS);
      }
      if (signal.aborted) {
        return;
      }
    }
  }

  /** @returns why the delivery failed; undefined for a success. */
  async #send(update: PendingUpdate, signal: AbortSignal): Promise<string | undefined> {
    const webhook = this.#state.webhook;
    if (!webhook) {
      return undefined;
    }
    try {
      // The update must be on disk before it is sent, or another update could get its id after a restart.
      await this.#storage.settled();
      const response = await fetch(webhook.url, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          ...(webhook.secretToken !== "" && { "x-telegram-bot-api-secret-token": webhook.secretToken }),
        },
        body: JSON.stringify(update),
        redirect: "manual",
        signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]),
      });
      await response.body?.cancel();
      return response.ok
        ? undefined
        : `Wrong response from the webhook: ${response.status} ${response.statusText}`;
    } catch {
      return "Connection failed";
    }
  }
}

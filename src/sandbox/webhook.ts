import { setTimeout } from "node:timers/promises";
import { unixSeconds } from "./context.js";
import type { PendingUpdate, SandboxState } from "./state.js";
import type { Storage } from "./storage.js";

const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 5_000;
const ANSWER_WITHIN_MS = 10_000;

/** Sends the queued updates to the webhook, one at a time and in order; one that is refused is sent again. */
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

  /** Starts to deliver, unless it is under way. */
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

  /** Ends the delivery under way; what it had not delivered stays queued. */
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
        wait = Math.min(wait * 2, LONGEST_WAIT_MS);
      }
      if (signal.aborted) {
        return;
      }
    }
  }

  /** Why the update was not taken, or undefined where it was. */
  async #send(update: PendingUpdate, signal: AbortSignal): Promise<string | undefined> {
    const webhook = this.#state.webhook;
    if (!webhook) {
      return undefined;
    }
    try {
      // An update that went out must not get its id a second time after a restart.
      await this.#storage.settled();
      const response = await fetch(webhook.url, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          ...(webhook.secretToken !== "" && { "x-telegram-bot-api-secret-token": webhook.secretToken }),
        },
        body: JSON.stringify(update),
        redirect: "manual",
        signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]),
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

import { unixSeconds } from "./context.js";
import type { PendingUpdate, SandboxState } from "./state.js";
import type { Storage } from "./storage.js";
import type { Updates } from "./updates.js";

const FIRST_WAIT_MS = 1000;
const MAX_WAIT_MS = 60_000;
/** The longest Retry-After that is honoured, in seconds. */
const MAX_RETRY_AFTER = 3600;
const ANSWER_TIMEOUT_MS = 60_000;
export const DEFAULT_CONNECTIONS = 40;

/** Updates that must be delivered one after another. */
interface Queue {
  readonly updates: PendingUpdate[];
  waitMs: number;
  /** Runs until the first update is sent again. */
  timer: NodeJS.Timeout | undefined;
}

interface Failure {
  readonly message: string;
  readonly retryAfterMs: number | null;
}

/** What is in one queue at Telegram: what concerns one person, whatever the chat, and what concerns the bot in one chat. */
function queueOf(update: PendingUpdate): string {
  const { chat_member, chat_join_request, my_chat_member } = update as {
    chat_member?: { new_chat_member?: { user?: { id?: unknown } } };
    chat_join_request?: { from?: { id?: unknown } };
    my_chat_member?: { chat?: { id?: unknown } };
  };
  if (my_chat_member) {
    return `chat ${my_chat_member.chat?.id}`;
  }
  return `person ${chat_member?.new_chat_member?.user?.id ?? chat_join_request?.from?.id}`;
}

function retryAfterMs(header: string | null): number | null {
  return header !== null && /^\d+$/.test(header) ? Math.min(Number(header), MAX_RETRY_AFTER) * 1000 : null;
}

/**
 * Sends the pending updates to the webhook: those of one queue strictly one after another, queues side by side. A failed
 * delivery is repeated and holds up its queue.
 */
export class WebhookDelivery {
  readonly #state: SandboxState;
  readonly #storage: Storage;
  readonly #updates: Updates;
  readonly #now: () => number;
  /** Present while there is a webhook. */
  #run: AbortController | undefined;
  readonly #queues = new Map<string, Queue>();
  /** Queues whose first update may be sent, in the order in which they wait for a connection. */
  readonly #ready = new Set<string>();
  /** Updates that stand in a queue, so that none is put there twice. */
  #queued = new WeakSet<PendingUpdate>();
  #connections = 0;
  #closed = false;

  constructor(state: SandboxState, storage: Storage, updates: Updates, now: () => number) {
    this.#state = state;
    this.#storage = storage;
    this.#updates = updates;
    this.#now = now;
  }

  /** Begins to deliver the pending updates if there is a webhook and it is not being done. */
  start(): void {
    if (this.#closed || this.#run || !this.#state.webhook) {
      return;
    }
    this.#run = new AbortController();
    this.add(this.#state.updates);
  }

  /** Delivers new updates. Without a webhook they stay pending. */
  add(updates: readonly PendingUpdate[]): void {
    if (!this.#run) {
      return;
    }
    for (const update of updates) {
      if (this.#queued.has(update)) {
        continue;
      }
      this.#queued.add(update);
      const key = queueOf(update);
      const queue = this.#queues.get(key);
      if (queue) {
        queue.updates.push(update);
      } else {
        this.#queues.set(key, { updates: [update], waitMs: FIRST_WAIT_MS, timer: undefined });
        this.#ready.add(key);
      }
    }
    this.#send();
  }

  /** Stops the delivery. Undelivered updates stay pending. */
  stop(): void {
    this.#run?.abort();
    this.#run = undefined;
    for (const { timer } of this.#queues.values()) {
      clearTimeout(timer);
    }
    this.#queues.clear();
    this.#ready.clear();
    this.#queued = new WeakSet();
    this.#connections = 0;
  }

  close(): void {
    this.#closed = true;
    this.stop();
  }

  #send(): void {
    const { webhook } = this.#state;
    const run = this.#run;
    if (!webhook || !run) {
      return;
    }
    for (const key of this.#ready) {
      if (this.#connections >= (webhook.maxConnections ?? DEFAULT_CONNECTIONS)) {
        return;
      }
      this.#ready.delete(key);
      this.#connections += 1;
      void this.#deliverFirst(key, run.signal).then(() => {
        if (!run.signal.aborted) {
          this.#connections -= 1;
          this.#send();
        }
      });
    }
  }

  async #deliverFirst(key: string, signal: AbortSignal): Promise<void> {
    const queue = this.#queues.get(key);
    const update = queue?.updates[0];
    if (!queue || !update) {
      return;
    }
    const failure = this.#updates.isTooOld(update) ? undefined : await this.#post(update, signal);
    if (signal.aborted || !this.#state.webhook) {
      return;
    }
    if (failure) {
      this.#state.webhook.lastError = {
        date: unixSeconds({ now: this.#now }),
        message: failure.message,
      };
      this.#storage.changed();
      queue.timer = setTimeout(() => {
        this.#ready.add(key);
        this.#send();
      }, failure.retryAfterMs ?? queue.waitMs);
      queue.waitMs = Math.min(queue.waitMs * 2, MAX_WAIT_MS);
      return;
    }
    queue.updates.shift();
    queue.waitMs = FIRST_WAIT_MS;
    this.#updates.remove(update);
    if (queue.updates.length > 0) {
      this.#ready.add(key);
    } else {
      this.#queues.delete(key);
    }
  }

  /** @returns why the delivery failed; undefined for a success. */
  async #post(update: PendingUpdate, signal: AbortSignal): Promise<Failure | undefined> {
    const webhook = this.#state.webhook;
    if (!webhook) {
      return undefined;
    }
    // Node.js 20 drops a time limit that is only a part of AbortSignal.any. The use below keeps it.
    const timeout = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
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
        signal: AbortSignal.any([signal, timeout]),
      });
      await response.arrayBuffer();
      return response.ok
        ? undefined
        : {
            message: `Wrong response from the webhook: ${response.status} ${response.statusText}`,
            retryAfterMs: retryAfterMs(response.headers.get("retry-after")),
          };
    } catch {
      return { message: timeout.aborted ? "Read timeout expired" : "Connection failed", retryAfterMs: null };
    }
  }
}

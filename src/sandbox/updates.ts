import { otherGetUpdates, terminatedBySetWebhook } from "./errors.js";
import type { PendingUpdate, SandboxState } from "./state.js";
import type { Storage } from "./storage.js";

export type UpdateType = "chat_member" | "my_chat_member" | "chat_join_request";

/** What the sandbox sends unasked. As in Telegram, `chat_member` has to be asked for by name. */
const DEFAULT_TYPES: readonly string[] = ["my_chat_member", "chat_join_request"];

interface LongPoll {
  end(error?: Error): void;
}

/** The bot's queue of updates: each waits until it is acknowledged, whether by polling or by a webhook. */
export class Updates {
  readonly #state: SandboxState;
  readonly #storage: Storage;
  /** Called when there may be something for the webhook. */
  onUpdate: () => void = () => {};
  #longPoll: LongPoll | undefined;

  constructor(state: SandboxState, storage: Storage) {
    this.#state = state;
    this.#storage = storage;
  }

  emit(type: UpdateType, content: object): void {
    if (!(this.#state.allowedUpdates ?? DEFAULT_TYPES).includes(type)) {
      return;
    }
    this.#state.updates.push({ update_id: this.#state.nextUpdateId, [type]: content });
    this.#state.nextUpdateId += 1;
    this.#storage.changed();
    // Not at once: updates that happen together travel together.
    setImmediate(() => {
      this.#longPoll?.end();
      this.onUpdate();
    });
  }

  /** Undefined leaves the choice as it was, an empty list goes back to the default. Holds for updates to come. */
  allow(types: string[] | undefined): void {
    if (types !== undefined) {
      this.#state.allowedUpdates = types.length === 0 ? null : types.map((type) => type.toLowerCase());
      this.#storage.changed();
    }
  }

  /** Forgets what comes before `offset`; a negative one keeps that many from the end. */
  acknowledge(offset: number): void {
    const { updates } = this.#state;
    const kept = offset < 0 ? updates.slice(offset) : updates.filter(({ update_id }) => update_id >= offset);
    if (kept.length !== updates.length) {
      this.#state.updates = kept;
      this.#storage.changed();
    }
  }

  /** The first `limit` updates, waiting up to `timeout` seconds for one. Ends any other poll that waits. */
  async poll(limit: number, timeout: number): Promise<PendingUpdate[]> {
    this.#longPoll?.end(otherGetUpdates());
    if (this.#state.updates.length === 0 && timeout > 0) {
      await this.#nextUpdate(timeout);
    }
    return this.#state.updates.slice(0, limit);
  }

  endPollForWebhook(): void {
    this.#longPoll?.end(terminatedBySetWebhook());
  }

  close(): void {
    this.#longPoll?.end();
  }

  #nextUpdate(timeout: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const longPoll: LongPoll = {
        end: (error) => {
          clearTimeout(timer);
          this.#longPoll = undefined;
          if (error) {
            reject(error);
          } else {
            resolve();
          }
        },
      };
      const timer = setTimeout(longPoll.end, timeout * 1000);
      this.#longPoll = longPoll;
    });
  }
}

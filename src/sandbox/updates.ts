import { otherGetUpdates, terminatedBySetWebhook } from "./errors.js";
import type { PendingUpdate, SandboxState } from "./state.js";
import type { Storage } from "./storage.js";

export type UpdateType = "chat_member" | "my_chat_member" | "chat_join_request";

/** The types that are sent by default. As at Telegram, `chat_member` must be asked for by name. */
const DEFAULT_TYPES: readonly string[] = ["my_chat_member", "chat_join_request"];

interface LongPoll {
  end(error?: Error): void;
}

/** The bot's queue of updates. An update stays until it is acknowledged by polling or delivered to the webhook. */
export class Updates {
  readonly #state: SandboxState;
  readonly #storage: Storage;
  /** Called when the webhook may have something to deliver. */
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
    // Delayed, so that updates of one moment are delivered together.
    setImmediate(() => {
      this.#longPoll?.end();
      this.onUpdate();
    });
  }

  /** Sets the types of future updates. Undefined keeps the present types, an empty list restores the default. */
  allow(types: string[] | undefined): void {
    if (types !== undefined) {
      this.#state.allowedUpdates = types.length === 0 ? null : types.map((type) => type.toLowerCase());
      this.#storage.changed();
    }
  }

  /** Removes the updates before `offset`. A negative offset keeps that many of the latest updates. */
  acknowledge(offset: number): void {
    const { updates } = this.#state;
    const kept = offset < 0 ? updates.slice(offset) : updates.filter(({ update_id }) => update_id >= offset);
    if (kept.length !== updates.length) {
      this.#state.updates = kept;
      this.#storage.changed();
    }
  }

  /** Gives the first `limit` updates and waits up to `timeout` seconds for one. Ends any other waiting poll. */
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

import { otherGetUpdates, terminatedBySetWebhook } from "./errors.js";
import type { PendingUpdate, SandboxState } from "./state.js";
import type { Storage } from "./storage.js";

export type UpdateType = "chat_member" | "my_chat_member" | "chat_join_request";

/** The types that are sent by default. As at Telegram, `chat_member` must be asked for by name. */
const DEFAULT_TYPES: readonly string[] = ["my_chat_member", "chat_join_request"];
/** How long updates are kept. */
const KEPT_MS = 24 * 3_600_000;
/** The same offset asked again so soon after an answer gets one update only. */
const HURRY_MS = 500;

interface LongPoll {
  end(error?: Error): void;
}

interface AnsweredPoll {
  readonly offset: number;
  readonly at: number;
}

type Content = Readonly<Record<string, unknown>>;

/** The bot's queue of updates. An update stays until it is acknowledged by polling or delivered to the webhook. */
export class Updates {
  readonly #state: SandboxState;
  readonly #storage: Storage;
  readonly #now: () => number;
  /** Called when the webhook may have something to deliver. */
  onUpdate: (added: readonly PendingUpdate[]) => void = () => {};
  #longPoll: LongPoll | undefined;
  #lastPoll: AnsweredPoll | undefined;
  #added: PendingUpdate[] = [];
  /** How many coming updates are lost or delayed. */
  #toLose = 0;
  #toDelay = 0;
  #delayed: Content[] = [];

  constructor(state: SandboxState, storage: Storage, now: () => number) {
    this.#state = state;
    this.#storage = storage;
    this.#now = now;
  }

  emit(type: UpdateType, content: object): void {
    if (!(this.#state.allowedUpdates ?? DEFAULT_TYPES).includes(type)) {
      return;
    }
    if (this.#toDelay > 0) {
      this.#toDelay -= 1;
      this.#delayed.push({ [type]: content });
      return;
    }
    if (this.#toLose > 0) {
      this.#toLose -= 1;
      this.#state.nextUpdateId += 1;
      this.#storage.changed();
      return;
    }
    this.add({ [type]: content });
  }

  /** Adds an update of any form. @param content gets the next id unless it has one. @returns the id. */
  add(content: Content): number {
    const { update_id: given, ...rest } = content;
    const isNew = given === undefined;
    const id = isNew ? this.#state.nextUpdateId : Number(given);
    if (isNew) {
      this.#state.nextUpdateId += 1;
    }
    const update: PendingUpdate = { update_id: id, ...rest };
    this.#state.updates.push(update);
    this.#state.arrivals[id] = this.#now();
    this.#storage.changed();
    this.#added.push(update);
    // Delayed, so that updates of one moment are delivered together.
    if (this.#added.length === 1) {
      setImmediate(() => {
        const added = this.#added;
        this.#added = [];
        this.#longPoll?.end();
        this.onUpdate(added);
      });
    }
    return id;
  }

  /** The next updates get ids and are never sent. */
  loseNext(count: number): void {
    this.#toLose += count;
  }

  /** The next updates are sent when the returned function is called, after all that were sent meanwhile. */
  delayNext(count: number): () => void {
    this.#toDelay += count;
    return () => {
      this.#toDelay = 0;
      for (const content of this.#delayed.splice(0)) {
        this.add(content);
      }
    };
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
    const first = offset < 0 ? this.#state.updates.length + offset : 0;
    this.#removeAll(({ update_id }, index) => (offset < 0 ? index < first : update_id < offset));
  }

  /** Removes a delivered update. */
  remove(update: PendingUpdate): void {
    const { updates } = this.#state;
    const index = updates.indexOf(update);
    if (index >= 0) {
      updates.splice(index, 1);
      delete this.#state.arrivals[update.update_id];
      this.#storage.changed();
    }
  }

  isTooOld({ update_id }: PendingUpdate): boolean {
    const arrived = this.#state.arrivals[update_id];
    return arrived !== undefined && arrived < this.#now() - KEPT_MS;
  }

  /** Gives the first `limit` updates and waits up to `timeout` seconds for one. Ends any other waiting poll. */
  async poll(offset: number, limit: number, timeout: number): Promise<PendingUpdate[]> {
    this.#longPoll?.end(otherGetUpdates());
    this.#removeAll((update) => this.isTooOld(update));
    const last = this.#lastPoll;
    const isHurried = last !== undefined && offset === last.offset && this.#now() < last.at + HURRY_MS;
    if (this.#state.updates.length === 0 && timeout > 0) {
      await this.#nextUpdate(timeout);
    }
    this.#lastPoll = { offset, at: this.#now() };
    return this.#state.updates.slice(0, isHurried ? 1 : limit);
  }

  endPollForWebhook(): void {
    this.#longPoll?.end(terminatedBySetWebhook());
  }

  close(): void {
    this.#longPoll?.end();
  }

  #removeAll(isRemoved: (update: PendingUpdate, index: number) => boolean): void {
    const { updates, arrivals } = this.#state;
    const kept: PendingUpdate[] = [];
    for (const [index, update] of updates.entries()) {
      if (isRemoved(update, index)) {
        delete arrivals[update.update_id];
      } else {
        kept.push(update);
      }
    }
    if (kept.length < updates.length) {
      this.#state.updates = kept;
      this.#storage.changed();
    }
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

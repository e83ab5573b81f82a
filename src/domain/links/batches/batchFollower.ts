import { setTimeout as delay } from "node:timers/promises";
import sql from "sql-template-tag";
import type { Database } from "../../../database/database.js";
import { unavailabilityOf } from "../../../database/failures.js";
import { type LinkBatch, linkBatchColumns, linkBatchJoins } from "./linkBatch.js";

/** The shortest time between two states of a batch, in milliseconds. */
const EACH_MS = 500;

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** The states of a batch for one subscription: the one now, then each that differs. Ends when the batch has finished. */
export class BatchFollower implements AsyncIterableIterator<LinkBatch> {
  readonly #database: Pick<Database, "query">;
  readonly #onChatId: (chatId: number) => void;
  readonly #ended = new AbortController();
  #batch: LinkBatch;
  #isSent = false;

  /**
   * @param batch the batch now
   * @param onChatId called with the chat's id before each state, since the chat can get another id
   */
  constructor(database: Pick<Database, "query">, batch: LinkBatch, onChatId: (chatId: number) => void) {
    this.#database = database;
    this.#batch = batch;
    this.#onChatId = onChatId;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<LinkBatch>> {
    const { signal } = this.#ended;
    const before = JSON.stringify(this.#batch);
    while (this.#isSent && !signal.aborted) {
      if (this.#batch.finishedAt !== null) return DONE;
      await delay(EACH_MS, undefined, { signal }).catch(() => {});
      const batch = signal.aborted ? undefined : await this.#read();
      if (batch === null) return DONE;
      if (batch === undefined || JSON.stringify(batch) === before) continue;
      this.#batch = batch;
      break;
    }
    if (signal.aborted) return DONE;
    this.#isSent = true;
    this.#onChatId(this.#batch.chatId);
    return { done: false, value: this.#batch };
  }

  async return(): Promise<IteratorResult<LinkBatch>> {
    this.#ended.abort();
    return DONE;
  }

  /** @returns null if the batch does not exist any more, undefined while the database does not answer. */
  async #read(): Promise<LinkBatch | null | undefined> {
    try {
      const [batch] = await this.#database.query<LinkBatch>(sql`
        select ${linkBatchColumns} from link_batch b ${linkBatchJoins} where b.id = ${this.#batch.id}::uuid`);
      return batch ?? null;
    } catch (error) {
      if (unavailabilityOf(error) === null) throw error;
      return undefined;
    }
  }
}

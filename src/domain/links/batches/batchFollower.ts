import { once } from "node:events";
import DataLoader from "dataloader";
import type { Database } from "../../../database/database.js";
import { unavailabilityOf } from "../../../database/failures.js";
import { statement } from "../../../database/statement.js";
import { inKeyOrder } from "../../paging/batchLoading.js";
import { type LinkBatch, linkBatchColumns, linkBatchJoins } from "./linkBatch.js";

/** The shortest time between two states of a batch, in milliseconds. */
const EACH_MS = 500;

/** A read this soon after a state is early; a timer is not exact. */
const EARLY_MS = EACH_MS - 50;

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** The states of batches, for the subscriptions of all requests: all that are asked for within EACH_MS are read together. */
export type BatchFeed = DataLoader<string, LinkBatch | null>;

export const batchFeed = (database: Pick<Database, "query">): BatchFeed =>
  new DataLoader(
    async (ids) => {
      const batches = await database.query<LinkBatch>(statement("link_batches_follow")`
        select ${linkBatchColumns} from link_batch b ${linkBatchJoins} where b.id = any(${[...new Set(ids)]}::uuid[])`);
      return inKeyOrder(ids, batches, ({ id }) => id);
    },
    { cache: false, batchScheduleFn: (read) => void setTimeout(read, EACH_MS) },
  );

/** The states of a batch for one subscription: the one now, then each that differs. Ends when the batch has finished. */
export class BatchFollower implements AsyncIterableIterator<LinkBatch> {
  readonly #feed: BatchFeed;
  readonly #ended = new AbortController();
  readonly #left = once(this.#ended.signal, "abort").then(() => undefined);
  #batch: LinkBatch;
  #isSent = false;
  /** By performance.now(). */
  #sentAt = 0;

  /** @param batch the batch now */
  constructor(feed: BatchFeed, batch: LinkBatch) {
    this.#feed = feed;
    this.#batch = batch;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<LinkBatch>> {
    const { signal } = this.#ended;
    const before = JSON.stringify(this.#batch);
    while (this.#isSent && !signal.aborted) {
      if (this.#batch.finishedAt !== null) return DONE;
      const batch = await Promise.race([this.#read(), this.#left]);
      if (batch === null) return DONE;
      if (batch === undefined || JSON.stringify(batch) === before) continue;
      // The first read of a follower may come early: others had asked for it before.
      if (performance.now() - this.#sentAt < EARLY_MS) continue;
      this.#batch = batch;
      break;
    }
    if (signal.aborted) return DONE;
    this.#isSent = true;
    this.#sentAt = performance.now();
    return { done: false, value: this.#batch };
  }

  async return(): Promise<IteratorResult<LinkBatch>> {
    this.#ended.abort();
    return DONE;
  }

  /** @returns null if the batch does not exist any more, undefined while the database does not answer. */
  async #read(): Promise<LinkBatch | null | undefined> {
    try {
      return await this.#feed.load(this.#batch.id);
    } catch (error) {
      if (unavailabilityOf(error) === null) throw error;
      return undefined;
    }
  }
}

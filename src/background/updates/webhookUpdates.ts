import { unavailabilityOf } from "../../database/failures.js";
import type { StorageGuard } from "../../domain/shared/databaseErrors.js";
import { DatabaseUnavailableError } from "../../domain/shared/errors.js";
import { BATCHER_LIMITS, BatcherFullError, UpdateBatcher } from "./batcher.js";
import type { UpdateIntake } from "./intake.js";

/** How long a webhook call waits for the database, in milliseconds. */
const WAIT_MS = 10_000;

/** The update could not be stored now. Telegram repeats the call. */
export class UpdateNotStoredError extends Error {
  override readonly name = "UpdateNotStoredError";

  constructor(options?: ErrorOptions) {
    super("The update cannot be stored now.", options);
  }
}

export interface WebhookUpdatesOptions {
  readonly intake: UpdateIntake;
  readonly storageGuard: StorageGuard;
  readonly waitMs?: number;
}

/** Stores the updates that Telegram sends to the webhook. */
export class WebhookUpdates {
  readonly #intake: UpdateIntake;
  readonly #storageGuard: StorageGuard;
  readonly #waitMs: number;
  readonly #batcher: UpdateBatcher;

  constructor({ intake, storageGuard, waitMs = WAIT_MS }: WebhookUpdatesOptions) {
    this.#intake = intake;
    this.#storageGuard = storageGuard;
    this.#waitMs = waitMs;
    this.#batcher = new UpdateBatcher({
      ...BATCHER_LIMITS,
      store: (updates) => intake.store(updates, null),
    });
  }

  /**
   * Resolves when the update is stored. A value that is no update is only reported: Telegram would send the same again.
   * @param value the body of the call
   * @throws UpdateNotStoredError while the database is unavailable, and after ten seconds
   */
  async receive(value: unknown): Promise<void> {
    try {
      this.#storageGuard.requireWritable();
    } catch (error) {
      throw error instanceof DatabaseUnavailableError ? new UpdateNotStoredError({ cause: error }) : error;
    }
    const [update] = this.#intake.read([value]);
    if (update === undefined) return;
    const limit = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        limit.abort();
        reject(new UpdateNotStoredError());
      }, this.#waitMs);
    });
    try {
      await Promise.race([this.#batcher.add(update, limit.signal), tooLate]);
    } catch (error) {
      const isUnavailable = error instanceof BatcherFullError || unavailabilityOf(error) !== null;
      if (!isUnavailable) throw error;
      this.#storageGuard.recordFailure(error);
      throw new UpdateNotStoredError({ cause: error });
    } finally {
      clearTimeout(timer);
    }
  }
}

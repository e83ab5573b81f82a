import { unavailabilityOf } from "../../database/failures.js";
import { DatabaseUnavailableError, UserError } from "./errors.js";

/** @returns the error that the caller sees; null for an error that must be masked. */
export function toUserError(error: unknown): UserError | null {
  if (error instanceof UserError) return error;
  const reason = unavailabilityOf(error);
  return reason && new DatabaseUnavailableError(reason);
}

/** Makes sure that no call to Telegram begins while its result could not be stored. */
export interface StorageGuard {
  /** @throws DatabaseUnavailableError while the database is known not to store anything. */
  requireWritable(): void;
  /** Takes any thrown value. A value that is no error of the database is ignored. */
  recordFailure(error: unknown): void;
  /**
   * Must be called with the storing of each result of Telegram. A database that is full or read-only keeps that state
   * until `storing` has ended, because its outcome shows whether the database stores again.
   */
  trackStoring(storing: Promise<unknown>): void;
}

import { type Unavailability, unavailabilityOf } from "../../database/failures.js";
import { type DatabaseTrouble, DatabaseUnavailableError, UserError } from "./errors.js";

/** What the failures of a database that cannot be used are to callers. */
const TROUBLES = {
  away: "away",
  busy: "busy",
  // Tried again as often as it makes sense.
  conflict: "busy",
  timeLimit: "slow",
  full: "full",
  readOnly: "read-only",
} as const satisfies Record<Unavailability, DatabaseTrouble>;

/** What is the matter with the database, by anything that was thrown; null where that tells of no such thing. */
export function troubleOf(error: unknown): DatabaseTrouble | null {
  const unavailability = unavailabilityOf(error);
  return unavailability && TROUBLES[unavailability];
}

/** What a caller is told of anything that was thrown; null for what is to be masked. */
export function toUserError(error: unknown): UserError | null {
  if (error instanceof UserError) return error;
  const trouble = troubleOf(error);
  return trouble && new DatabaseUnavailableError(trouble);
}

/**
 * Guards what is to be stored once Telegram has done it: while nothing can be stored, nothing is begun there.
 */
export interface StorageGuard {
  /** @throws DatabaseUnavailableError while the database is known to store nothing. */
  requireWritable(): void;
  /** Takes note of anything that was thrown; what tells nothing of the database is let be. */
  noteFailure(error: unknown): void;
  /**
   * Told of everything that Telegram has done and is being stored. While the database is said to be full or read-only,
   * it counts as that until this ends: whether it is stored shows whether storing works again.
   */
  holdFor(storing: Promise<unknown>): void;
}

/**
 * How long a long transaction waits for one lock, in milliseconds. Other statements queue behind this wait, so it is short. It
 * is below PostgreSQL's deadlock_timeout (1 s), so that no other transaction is ended because of it.
 */
export const LOCK_TIMEOUT_MS = 500;

/** Lock timeout, deadlock and serialization failure. */
const CONFLICTS: readonly unknown[] = ["55P03", "40P01", "40001"];

/** Whether a transaction failed because of another one, so that it may succeed when it is repeated. */
export const isLockConflict = (error: unknown): boolean =>
  CONFLICTS.includes((error as { code?: unknown }).code);

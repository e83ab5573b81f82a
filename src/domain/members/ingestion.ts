import type { ReceivedUpdate } from "../../telegram/updates.js";

/** The right to poll: a server that has lost it meanwhile stores nothing. */
export interface PollerTerm {
  /** As in update_receiver. */
  readonly term: number;
}

/** Another server polls by now, so that nothing was stored. */
export class PollerTermOverError extends Error {
  override readonly name = "PollerTermOverError";
}

/** Stores updates with all that they mean. */
export interface Ingestion {
  /**
   * Stores a batch in one transaction. When this resolves, each update is stored or set aside, or was stored before.
   * @param term given by a poller, null for a webhook
   * @throws PollerTermOverError, and the database's error while the database is unavailable
   */
  ingest(updates: readonly ReceivedUpdate[], term: PollerTerm | null): Promise<void>;
}

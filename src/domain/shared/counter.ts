import type { Database } from "../../database/database.js";
import type { MaintenanceSession } from "../../database/maintenance.js";

/** Where a counter differs from what it counts. */
export interface FoundDifference {
  /** The table of the counter. */
  readonly counter: string;
  readonly problem: string;
  /** Null for what belongs to no channel. */
  readonly channelId: string | null;
  /** How many rows of the table differ. */
  readonly rows: number;
  /** One of the rows, in words. */
  readonly example: string;
}

/** Counters that are kept together, and can be worked out again. */
export interface Counter {
  /** Holds the counters against what they count, of one channel or (null) of all. It only reads. */
  find(session: MaintenanceSession, channelId: string | null): Promise<readonly FoundDifference[]>;
  /**
   * Puts right what differs, in short transactions beside which servers may run.
   * @throws Error where something differs all the same
   */
  repair(database: Database, channelId: string | null): Promise<void>;
}

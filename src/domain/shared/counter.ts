import type { Database } from "../../database/database.js";
import type { MaintenanceSession } from "../../database/maintenance.js";

/** Rows of a counter's table that differ from what they count. */
export interface FoundDifference {
  /** The table of the counter. */
  readonly counter: string;
  readonly problem: string;
  /** Null for rows that belong to no channel. */
  readonly channelId: string | null;
  /** How many rows of the table differ. */
  readonly rows: number;
  /** One of the rows, in words. */
  readonly example: string;
}

/** Counters that are stored, and can be recounted. */
export interface Counter {
  /** Compares the counters of one channel (null: of all channels) with what they count. It only reads. */
  find(session: MaintenanceSession, channelId: string | null): Promise<readonly FoundDifference[]>;
  /**
   * Corrects the counters that differ, in short transactions, so that servers may run meanwhile.
   * @throws Error if a counter still differs afterwards.
   */
  repair(database: Database, channelId: string | null): Promise<void>;
}

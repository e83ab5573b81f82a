import type { Instant } from "../../database/instant.js";
import type { PageArguments } from "../paging/arguments.js";
import type { CountedPage } from "../paging/list.js";

/** An update that could not be understood or stored. */
export interface FailedUpdate {
  readonly id: string;
  readonly updateId: number;
  readonly receivedAt: Instant;
  /** For people, without any of the update's values. */
  readonly reason: string;
  /** The update as Telegram sent it, its persons reduced to their ids. */
  readonly body: object;
}

/**
 * What an administrator does with the updates and the persons of the whole installation, for one request. All methods but
 * `failedUpdate` throw ForbiddenError for a caller who is no administrator of every channel.
 */
export interface MemberAdministration {
  /** Null for an update that is not set aside, and for a caller who is no administrator of every channel. */
  failedUpdate(id: string): Promise<FailedUpdate | null>;
  /** A page of the updates that were set aside, the oldest first. @throws ValidationError */
  failedUpdates(page: PageArguments): Promise<CountedPage<FailedUpdate>>;
  /**
   * Stores updates that were set aside, as if they came now.
   * @param input global ids or bare UUIDs
   * @throws ValidationError
   */
  retry(input: {
    readonly ids: readonly string[];
  }): Promise<{ readonly succeededCount: number; readonly failedCount: number }>;
  /**
   * Replaces a person's id in everything that is stored.
   * @returns the number of the person's events, in all channels.
   * @throws ValidationError
   */
  erase(input: { readonly userId: number }): Promise<{ readonly eventCount: number }>;
}

import sql from "sql-template-tag";
import type { Caller, Role } from "../shared/caller.js";

/** The rights of an API token as tokenRightsColumns reads them. */
export interface TokenRightsRow {
  readonly role: Role;
  readonly allChannels: boolean;
  /** Telegram chat ids, in decimal; not used while `allChannels` is true. */
  readonly chatIds: string[];
}

/** The columns of TokenRightsRow, from `api_token t`. */
export const tokenRightsColumns = sql`t.role, t.all_channels as "allChannels",
        array(select g.chat_id::text from channel_grant g where g.token_id = t.id) as "chatIds"`;

/** The id of the caller's API token; null for a caller without one. */
export const tokenIdOf = ({ key }: Caller): string | null => /^token:(.+)$/.exec(key)?.[1] ?? null;

/** The Telegram chat ids that a token may use; null for every channel. */
export const chatIdsOf = ({ allChannels, chatIds }: TokenRightsRow): Set<number> | null =>
  allChannels ? null : new Set(chatIds.map(Number));

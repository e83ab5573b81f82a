import DataLoader from "dataloader";
import sql from "sql-template-tag";
import type { Database } from "../../database/database.js";
import { statement } from "../../database/statement.js";
import { readVisibleByKey } from "../access/movedGrants.js";
import type { ChannelLoaders } from "../channels/channelLoaders.js";
import { batchUse, inKeyOrder, isOneOf, UUID } from "../paging/batchLoading.js";
import { type Caller, visible } from "../shared/caller.js";
import type { TagLoaders, TagTypeLoaders } from "../tags/tagLoaders.js";
import { type InviteLink, inviteLinkColumns } from "./inviteLink.js";

/** Links for one request: one statement for each batch of keys. */
export interface LinkLoaders {
  /** Null for a link that does not exist or that the caller may not see. */
  readonly inviteLink: DataLoader<string, InviteLink | null>;
}

/** All loaders of one request. */
export type Loaders = ChannelLoaders & TagLoaders & TagTypeLoaders & LinkLoaders;

export const createLinkLoaders = (database: Database, caller: Caller): LinkLoaders => ({
  inviteLink: new DataLoader<string, InviteLink | null>(async (ids) =>
    inKeyOrder(
      ids,
      await readVisibleByKey(database, caller, ids, () =>
        database.query<InviteLink>(
          statement("links_by_id")`
        select ${inviteLinkColumns} from invite_link l join channel c on c.id = l.channel_id
        where ${isOneOf(sql`l.id`, ids, UUID)} and ${visible(caller, sql`c.chat_id`)}`,
          batchUse(ids),
        ),
      ),
      ({ id }) => id,
    ),
  ),
});

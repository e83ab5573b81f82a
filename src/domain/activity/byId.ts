import DataLoader from "dataloader";
import sql, { type Sql } from "sql-template-tag";
import type { Database } from "../../database/database.js";
import type { StatementTag } from "../../database/statement.js";
import { readVisibleByKey } from "../access/movedGrants.js";
import { inKeyOrder } from "../paging/batchLoading.js";
import { type Caller, visible } from "../shared/caller.js";

/** What rows a loader reads. */
export interface ChannelRows {
  /** The name of the statement that reads the rows. */
  readonly statement: StatementTag;
  /** The columns of a row, `id` among them, from the table and its `channel c`. */
  readonly columns: Sql;
  /** A table whose key begins with channel_id and id, and its alias. */
  readonly table: Sql;
  readonly alias: Sql;
  /** A condition that all rows must meet. */
  readonly condition?: Sql;
}

/**
 * Loads rows of channels by their ids; null for a row that does not exist or whose channel the caller may not see. The key of
 * the table begins with the channel, so a row is looked up in each channel that the caller may see. The arrays make that one
 * scan of the index.
 */
export const loaderById = <Row extends { readonly id: string }>(
  database: Database,
  caller: Caller,
  { statement: tag, columns, table, alias, condition = sql`true` }: ChannelRows,
): DataLoader<string, Row | null> =>
  new DataLoader<string, Row | null>(async (ids) =>
    inKeyOrder(
      ids,
      await readVisibleByKey(database, caller, ids, () =>
        database.query<Row>(tag`
        select ${columns} from ${table} ${alias} join channel c on c.id = ${alias}.channel_id
        where ${alias}.channel_id = any(array(
            select c.id from channel c where ${visible(caller, sql`c.chat_id`)}))
          and ${alias}.id = any(${ids}::uuid[]) and ${condition}`),
      ),
      ({ id }) => id,
    ),
  );

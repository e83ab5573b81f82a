import sql, { type Sql } from "sql-template-tag";

/** How the rows before a numbered page are skipped, as parts of the statement that finds the page's rows. */
export interface SkippedRows {
  /** Replaces the list's own "with …"; absent if the other parts refer to no common table. */
  readonly with?: Sql;
  /** A condition that leaves out some, all or none of the rows before the page. */
  readonly condition: Sql;
  /** How many of the rows that meet the condition come before the page. */
  readonly offset: Sql;
}

/** @param offset the number of rows before the page. */
export type RowSkip = (offset: bigint) => SkippedRows;

/** PostgreSQL reads and counts all rows before the page. Plain twin of links/query/dayOffsets.ts. */
export const rowOffset: RowSkip = (offset) => ({ condition: sql`true`, offset: sql`${offset}::bigint` });

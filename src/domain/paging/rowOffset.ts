import sql, { type Sql } from "sql-template-tag";

/** How the rows before a numbered page are passed by, as parts of a statement that finds the page's rows. */
export interface SkippedRows {
  /** "with …", if the other parts refer to a common table; instead of the list's own. */
  readonly with?: Sql;
  /** A condition that leaves out rows before the page, or none of them. */
  readonly condition: Sql;
  /** How many of the rows that meet the condition come before the page. */
  readonly offset: Sql;
}

/** @param offset the number of rows before the page. */
export type RowSkip = (offset: bigint) => SkippedRows;

/** PostgreSQL reads and counts all rows before the page. Plain twin of links/query/dayOffsets.ts. */
export const rowOffset: RowSkip = (offset) => ({ condition: sql`true`, offset: sql`${offset}::bigint` });

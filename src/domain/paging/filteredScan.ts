import sql, { empty, join, type Sql } from "sql-template-tag";
import type { Ordering } from "./ordering.js";
import { anyOf, limitOf, type Ranges, type Slice } from "./page.js";
import { type RowSkip, rowOffset } from "./rowOffset.js";

/** Finds slices of a list. Both methods give an item for FROM. */
export interface Scan {
  /** The rows of a slice, under the list's alias and in no particular order. */
  rows(slice: Slice): Sql;
  /** Has a row if the list has any row in the ranges. */
  any(ranges: Ranges): Sql;
}

/** The rows of a list, as parts of a statement. */
export interface FilteredRows {
  /** "with …", if `where` refers to a common table. */
  readonly with?: Sql;
  readonly table: Sql;
  readonly alias: Sql;
  readonly where: Sql;
}

const unionAll = (parts: readonly Sql[]): Sql => sql`(${join([...parts], ") union all (")})`;

/**
 * Reads the list in its order, from the beginning or from the position of a cursor, and leaves out the rows that do not meet
 * `where`. Plain twin of links/query/tagMergeScan.ts.
 * @param skip skips the rows before a numbered page.
 */
export function filteredScan<Row>(
  { with: prefix = empty, table, alias, where }: FilteredRows,
  ordering: Ordering<Row>,
  skip: RowSkip = rowOffset,
): Scan {
  const unique = ordering.at(-1)?.key.column ?? empty;

  /** The rows after the skipped rows. The keys are found first, so that PostgreSQL reads no other column of skipped rows. */
  const rowsBehind = (slice: Slice): Sql => {
    const skipped = skip(slice.offset);
    return sql`(${skipped.with ?? prefix}
      select ${alias}.* from ${table} where ${unique} = any(array(
        select ${unique} from ${table} where ${where} and ${skipped.condition}
        order by ${slice.orderBy} limit ${slice.limit}::int offset ${skipped.offset}))) ${alias}`;
  };

  const rowsInRange = (range: Sql, slice: Slice): Sql => sql`
    select ${alias}.* from ${table} where ${where} and ${range} order by ${slice.orderBy} ${limitOf(slice)}`;

  return {
    rows(slice) {
      if (slice.offset > 0) return rowsBehind(slice);
      const { ranges } = slice;
      // Each range is read by itself: with one OR over all of them, PostgreSQL would read all rows before the ranges.
      const found =
        ranges && ranges.length > 1
          ? sql`select * from (${unionAll(ranges.map((range) => rowsInRange(range, slice)))}) ${alias}
              order by ${slice.orderBy} ${limitOf(slice)}`
          : rowsInRange(anyOf(ranges), slice);
      return sql`(${prefix} ${found}) ${alias}`;
    },
    any(ranges) {
      const parts = (ranges ?? [anyOf(null)]).map(
        (range) => sql`select 1 from ${table} where ${where} and ${range} limit 1`,
      );
      return sql`(${prefix} ${unionAll(parts)}) ${alias}`;
    },
  };
}

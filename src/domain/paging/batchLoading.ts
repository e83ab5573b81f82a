import sql, { type Sql } from "sql-template-tag";
import type { StatementUse } from "../../database/database.js";
import { MAX_PAGE_SIZE } from "./arguments.js";

/** Puts a batch's rows into the order of its keys; null stands for a key without a row. */
export function inKeyOrder<Row, Key>(
  keys: readonly Key[],
  rows: readonly Row[],
  keyOf: (row: Row) => Key,
): (Row | null)[] {
  const found = new Map(rows.map((row) => [keyOf(row), row]));
  return keys.map((key) => found.get(key) ?? null);
}

/**
 * The condition that a column has one of several values. The subselect hides the number of values from PostgreSQL's
 * planner, which would otherwise plan a prepared statement anew each time it runs.
 */
export const isOneOf = (column: Sql, values: readonly (string | number)[], type: Sql): Sql =>
  values.length === 1
    ? sql`${column} = ${values[0]}::${type}`
    : sql`${column} = any((select ${values}::${type}[])::${type}[])`;

/** At most one page of keys counts as quick; more may hold up the pipelined sessions. */
export const batchUse = ({ length }: readonly unknown[]): StatementUse =>
  length <= MAX_PAGE_SIZE ? "frequent and quick" : "frequent";

export const UUID = sql`uuid`;
export const BIGINT = sql`bigint`;

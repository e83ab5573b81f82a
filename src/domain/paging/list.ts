import sql, { empty, type Sql } from "sql-template-tag";
import type { Database, StatementUse } from "../../database/database.js";
import type { Reading } from "../../database/reading.js";
import { RateLimitedError } from "../errors.js";
import { once } from "../once.js";
import type { PageRequest } from "./arguments.js";
import { type Ordering, orderBy } from "./ordering.js";
import { type Page, type PageSource, readPage, type Slice } from "./page.js";

/** A page, and how many there are on all of them: counted only when asked for. */
export interface CountedPage<Row> extends Page<Row> {
  totalCount(): Promise<number>;
}

/** Rows that a statement lists, in its parts. */
export interface SqlList {
  /** "with … ", where the condition refers to it. */
  readonly with?: Sql;
  readonly columns: Sql;
  /** What is listed, with its alias. */
  readonly table: Sql;
  readonly alias: Sql;
  /** What its columns need besides; it neither adds nor takes a row. */
  readonly joins?: Sql;
  readonly where: Sql;
  /** How its pages by cursor are read. */
  readonly use?: StatementUse | undefined;
  /** What stands for `table` and `where` when only a slice is asked for, where there is a shorter way to it. */
  readonly slice?: ((slice: Slice) => Sql) | null;
}

export const bounds = ({ limit, offset }: Slice): Sql =>
  offset === 0 ? sql`limit ${limit}::int` : sql`limit ${limit}::int offset ${offset}::bigint`;

const countOf = ({ with: prefix = empty, table, where }: SqlList): Sql =>
  sql`${prefix} select count(*) as count from ${table} where ${where}`;

/** A page of what a statement lists; one statement for its rows, one more for each thing that they cannot tell. */
export async function readList<Row>(
  database: Database,
  list: SqlList,
  ordering: Ordering<Row>,
  request: PageRequest,
): Promise<CountedPage<Row>> {
  const { with: prefix = empty, columns, table, alias, joins = empty, where, use } = list;
  const and = (condition: Sql | null) => (condition ? sql`${where} and ${condition}` : where);
  const source: PageSource<Row> = {
    // What the columns take is looked up for the rows of the page alone, not for those that are skipped.
    rows: (slice) =>
      database.query<Row>(
        list.slice
          ? sql`select ${columns} from ${list.slice(slice)} ${joins} order by ${slice.orderBy}`
          : sql`${prefix}
            select ${columns} from (
              select ${alias}.* from ${table}
              where ${and(slice.condition)} order by ${slice.orderBy} ${bounds(slice)}
            ) ${alias} ${joins} order by ${slice.orderBy}`,
        slice.offset === 0 ? use : undefined,
      ),
    exists: async (condition) => {
      const found = await database.query(
        list.slice
          ? sql`select from ${list.slice({ condition, orderBy: orderBy(ordering), limit: 1, offset: 0 })}`
          : sql`${prefix} select from ${table} where ${and(condition)} limit 1`,
      );
      return found.length > 0;
    },
  };
  const page = await readPage(ordering, request, source);
  return {
    ...page,
    totalCount: once(async () => {
      const rows = await database.query<{ count: number }>(countOf(list));
      return rows[0]?.count ?? 0;
    }),
  };
}

/** Where nothing is listed; cursors are looked at all the same. */
export async function emptyList<Row>(
  ordering: Ordering<Row>,
  request: PageRequest,
): Promise<CountedPage<Row>> {
  const nothing: PageSource<Row> = { rows: async () => [], exists: async () => false };
  return { ...(await readPage(ordering, request, nothing)), totalCount: async () => 0 };
}

/** A page by number, for those who know no cursors. */
export interface NumberedPageArguments {
  /** From 1. */
  readonly page: number;
  /** From 1; null for all, on one page. */
  readonly size: number | null;
}

/** Such a page, and how many there are on all of them. A long one is read bit by bit, and must be closed. */
export type NumberedPage<Row> = { readonly total: number } & (
  | { readonly rows: readonly Row[] }
  | { readonly reading: Reading<Row> }
);

/** Of those who read long lists, one will soon be done. */
const RETRY_SECONDS = 5;

/**
 * A page of any size of what a statement lists.
 * @param most rows that are held at once; a longer page is read so many at a time, all in one snapshot.
 * @throws RateLimitedError where too many long pages are being read.
 */
export async function readNumberedList<Row>(
  database: Database,
  list: SqlList,
  ordering: Ordering<Row>,
  { page, size }: NumberedPageArguments,
  most: number,
): Promise<NumberedPage<Row>> {
  const { with: prefix = empty, columns, table, joins = empty, where } = list;
  const part =
    size === null ? empty : sql`limit ${size}::bigint offset ${BigInt(page - 1) * BigInt(size)}::bigint`;
  const rows = sql`${prefix}
    select ${columns} from ${table} ${joins} where ${where} order by ${orderBy(ordering)} ${part}`;
  const count = countOf(list);
  if (size !== null && size <= most) {
    const [counted, read] = await Promise.all([
      database.query<{ count: number }>(count),
      database.query<Row>(rows),
    ]);
    return { total: counted[0]?.count ?? 0, rows: read };
  }
  const begun = await database.read<Row>({ count, rows }, most);
  if (begun === null) throw new RateLimitedError(RETRY_SECONDS);
  return { total: begun.count, reading: begun.reading };
}

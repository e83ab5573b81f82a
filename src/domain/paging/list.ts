import sql, { empty, type Sql } from "sql-template-tag";
import type { RowStream } from "../../database/cursorReader.js";
import type { Database, StatementUse } from "../../database/database.js";
import type { NamedStatement, StatementTag } from "../../database/statement.js";
import { RateLimitedError } from "../shared/errors.js";
import { lazy } from "../shared/lazy.js";
import type { PageRequest } from "./arguments.js";
import { type FilteredRows, filteredScan, type Scan } from "./filteredScan.js";
import { type Ordering, orderBy } from "./ordering.js";
import { NO_ROWS, type Page, type PageSource, readPage, type Slice } from "./page.js";
import type { RowSkip } from "./rowOffset.js";

/** A page of a list. */
export interface CountedPage<Row> extends Page<Row> {
  /** The number of rows on all pages: counted when first called. */
  totalCount(): Promise<number>;
}

/** The names of the statements that read a list. */
export interface ListStatements {
  /** Reads rows: a page, or all of them in portions. */
  readonly page: StatementTag;
  /** Finds out whether there are rows beyond a page. */
  readonly exists: StatementTag;
  readonly count: StatementTag;
}

/** A list that statements read, in its parts. */
export interface SqlList extends FilteredRows {
  readonly statements: ListStatements;
  readonly columns: Sql;
  /** Joins that `columns` need. They neither add nor remove a row. */
  readonly joins?: Sql;
  /** How the statements of pages by cursor are used; undefined if they are not frequent. */
  readonly use?: StatementUse | undefined;
  /** Finds the slices of pages of at most MAX_PAGE_SIZE rows; null: filteredScan does. */
  readonly scan?: Scan | null;
  /** Skips the rows before a numbered page; undefined: rowOffset does. */
  readonly skip?: RowSkip | undefined;
  /** Builds the text of a statement that gives one row with the `count` of the list's rows; undefined: the rows are counted. */
  readonly count?: (() => Sql) | undefined;
}

const countOf = ({ statements, with: prefix = empty, table, where, count }: SqlList): NamedStatement =>
  statements.count`${count?.() ?? sql`${prefix} select count(*) as count from ${table} where ${where}`}`;

/** Columns and joins are looked up for the slice's rows only, not for the skipped rows. */
const selectSlice = (
  { statements, columns, joins = empty }: SqlList,
  scan: Scan,
  slice: Slice,
): NamedStatement =>
  statements.page`select ${columns} from ${scan.rows(slice)} ${joins} order by ${slice.orderBy}`;

/** Reads a page of a list: one statement for its rows, one more for each requested property that the rows do not show. */
export async function readList<Row>(
  database: Database,
  list: SqlList,
  ordering: Ordering<Row>,
  request: PageRequest,
): Promise<CountedPage<Row>> {
  const scan = list.scan ?? filteredScan(list, ordering, list.skip);
  const source: PageSource<Row> = {
    rows: (slice) => {
      const use = slice.offset === 0n ? list.use : undefined;
      const hidesLimit = use === "frequent and quick";
      return database.query<Row>(selectSlice(list, scan, { hidesLimit, ...slice }), use);
    },
    exists: async (ranges) => {
      const found = await database.query(list.statements.exists`select from ${scan.any(ranges)} limit 1`);
      return found.length > 0;
    },
  };
  const { edges, hasNextPage, hasPreviousPage } = await readPage(ordering, request, source);
  return {
    edges,
    hasNextPage,
    hasPreviousPage,
    totalCount: lazy(async () => {
      const rows = await database.query<{ count: number }>(countOf(list));
      return rows[0]?.count ?? 0;
    }),
  };
}

/** A page of a list without rows. @throws ValidationError if a cursor is not one of this order. */
export async function emptyList<Row>(
  ordering: Ordering<Row>,
  request: PageRequest,
): Promise<CountedPage<Row>> {
  return { totalCount: async () => 0, ...(await readPage(ordering, request, NO_ROWS)) };
}

/** A page by number, as REST asks for it. */
export interface NumberedPageArguments {
  /** From 1. */
  readonly page: number;
  /** From 1; null: all rows, on one page. */
  readonly size: number | null;
}

/**
 * A page by number, with the number of rows on all pages. A long page comes as a `reading`, which gives the rows in
 * portions and must be closed.
 */
export type NumberedPage<Row> = { readonly total: number } & (
  | { readonly rows: readonly Row[] }
  | { readonly reading: RowStream<Row> }
);

/** The most rows of a long page that are read and written at a time; the server answers other requests in between. */
const MAX_PORTION = 100;

/** When a refused caller should try again. By then one of the long lists is likely to be finished. */
const RETRY_SECONDS = 5;

/**
 * Reads a page of any size.
 * @param maxRows the most rows that are held in memory; a longer page is read in portions, all in one snapshot.
 * @throws RateLimitedError while too many long pages are being read.
 */
export async function readNumberedList<Row>(
  database: Database,
  list: SqlList,
  ordering: Ordering<Row>,
  { page, size }: NumberedPageArguments,
  maxRows: number,
): Promise<NumberedPage<Row>> {
  const { with: prefix = empty, columns, table, joins = empty, where } = list;
  const count = countOf(list);
  const offset = size === null ? 0n : BigInt(page - 1) * BigInt(size);
  if (size !== null && size <= maxRows) {
    const slice = { ranges: null, orderBy: orderBy(ordering), reversed: false, limit: size, offset };
    const [counted, rows] = await Promise.all([
      database.query<{ count: number }>(count),
      database.query<Row>(selectSlice(list, filteredScan(list, ordering, list.skip), slice)),
    ]);
    return { total: counted[0]?.count ?? 0, rows };
  }
  const part = size === null ? empty : sql`limit ${size}::bigint offset ${offset}::bigint`;
  const rows = list.statements.page`${prefix}
    select ${columns} from ${table} ${joins} where ${where} order by ${orderBy(ordering)} ${part}`;
  const opened = await database.read<Row>({ count, rows }, Math.min(maxRows, MAX_PORTION));
  if (opened === null) throw new RateLimitedError(RETRY_SECONDS);
  return { total: opened.head.count, reading: opened.rows };
}

import sql, { empty, join, type Sql } from "sql-template-tag";
import type { RowStream } from "../../database/cursorReader.js";
import type { Database, StatementUse } from "../../database/database.js";
import { RateLimitedError } from "../shared/errors.js";
import { lazy } from "../shared/lazy.js";
import type { PageRequest } from "./arguments.js";
import { type Ordering, orderBy, type Steps } from "./ordering.js";
import { anyOf, type Page, type PageSource, readPage, type Slice } from "./page.js";

/** A page, and how many there are on all of them: counted only when asked for. */
export interface CountedPage<Row> extends Page<Row> {
  totalCount(): Promise<number>;
}

/** How rows far behind the first are found without reading all that come before. */
export interface Leap {
  /** "with … ", to which the others refer. */
  readonly with: Sql;
  /** Leaves out most of what comes before. */
  readonly condition: Sql;
  /** How many of the others come before. */
  readonly offset: Sql;
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
  /** Selects how many there are, as `count`, where that is told without counting them. */
  readonly count?: (() => Sql) | undefined;
  /** Null where there is no such way in this order. Only of a list that has no `with`. */
  readonly leap?: ((order: Steps, offset: bigint) => Leap | null) | undefined;
}

export const bounds = ({ limit, offset }: Slice): Sql =>
  offset === 0 ? sql`limit ${limit}::int` : sql`limit ${limit}::int offset ${offset}::bigint`;

const countOf = ({ with: prefix = empty, table, where, count }: SqlList): Sql =>
  count?.() ?? sql`${prefix} select count(*) as count from ${table} where ${where}`;

/** Selects rows behind the first ones: which they are is found first, so that nothing is read of those passed by. */
function rowsBehind<Row>(list: SqlList, ordering: Ordering<Row>, offset: bigint, limit: number): Sql {
  const { with: prefix = empty, columns, table, joins = empty, where } = list;
  const leap = list.leap?.(ordering, offset) ?? {
    with: prefix,
    condition: sql`true`,
    offset: sql`${offset}::bigint`,
  };
  const unique = ordering.at(-1)?.key.column ?? empty;
  return sql`${leap.with} select ${columns} from ${table} ${joins}
    where ${unique} = any(array(
      select ${unique} from ${table} where ${where} and ${leap.condition}
      order by ${orderBy(ordering)} limit ${limit}::int offset ${leap.offset}))
    order by ${orderBy(ordering)}`;
}

/** Selects a slice. What the columns take is looked up for its rows alone, not for those that are passed by. */
function rowsOf<Row>(list: SqlList, ordering: Ordering<Row>, slice: Slice): Sql {
  const { with: prefix = empty, columns, table, alias, joins = empty, where } = list;
  if (list.slice) return sql`select ${columns} from ${list.slice(slice)} ${joins} order by ${slice.orderBy}`;
  if (slice.offset > 0) return rowsBehind(list, ordering, BigInt(slice.offset), slice.limit);
  const part = (condition: Sql) => sql`
    select ${alias}.* from ${table} where ${where} and ${condition} order by ${slice.orderBy} ${bounds(slice)}`;
  const { stretches } = slice;
  // Of several stretches each is walked through by itself, since of an OR the planner would read all that come before.
  const found =
    stretches && stretches.length > 1
      ? sql`select * from (${eachOf(stretches, part)}) ${alias} order by ${slice.orderBy} ${bounds(slice)}`
      : part(anyOf(stretches));
  return sql`${prefix}
    select ${columns} from (${found}) ${alias} ${joins} order by ${slice.orderBy}`;
}

const eachOf = (stretches: readonly Sql[], part: (condition: Sql) => Sql): Sql =>
  sql`(${join(stretches.map(part), ") union all (")})`;

/** A page of what a statement lists; one statement for its rows, one more for each thing that they cannot tell. */
export async function readList<Row>(
  database: Database,
  list: SqlList,
  ordering: Ordering<Row>,
  request: PageRequest,
): Promise<CountedPage<Row>> {
  const { with: prefix = empty, table, where, use } = list;
  const one = (condition: Sql) => sql`select 1 from ${table} where ${where} and ${condition} limit 1`;
  const source: PageSource<Row> = {
    rows: (slice) => database.query<Row>(rowsOf(list, ordering, slice), slice.offset === 0 ? use : undefined),
    exists: async (stretches) => {
      const found = await database.query(
        list.slice
          ? sql`select from ${list.slice({ stretches, orderBy: orderBy(ordering), limit: 1, offset: 0 })}`
          : sql`${prefix} select from (${eachOf(stretches ?? [anyOf(null)], one)}) found limit 1`,
      );
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
  | { readonly reading: RowStream<Row> }
);

/** Rows of a long page that are read and written in one go: other requests are answered in between. */
const MOST_IN_ONE_GO = 100;

/** Of those who read long lists, one will soon be done. */
const RETRY_SECONDS = 5;

/**
 * A page of any size of what a statement lists.
 * @param most rows that are held at once; a longer page is read in parts of no more, all in one snapshot.
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
  const count = countOf(list);
  const offset = size === null ? 0n : BigInt(page - 1) * BigInt(size);
  const part = size === null ? empty : sql`limit ${size}::bigint offset ${offset}::bigint`;
  const all = sql`${prefix}
    select ${columns} from ${table} ${joins} where ${where} order by ${orderBy(ordering)} ${part}`;
  if (size !== null && size <= most) {
    const [counted, rows] = await Promise.all([
      database.query<{ count: number }>(count),
      database.query<Row>(offset === 0n ? all : rowsBehind(list, ordering, offset, size)),
    ]);
    return { total: counted[0]?.count ?? 0, rows };
  }
  const begun = await database.read<Row>({ count, rows: all }, Math.min(most, MOST_IN_ONE_GO));
  if (begun === null) throw new RateLimitedError(RETRY_SECONDS);
  return { total: begun.count, reading: begun.reading };
}

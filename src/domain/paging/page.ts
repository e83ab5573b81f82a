import sql, { join, type Sql } from "sql-template-tag";
import type { PageRequest } from "./arguments.js";
import { cursorsOf, decodeCursor } from "./cursor.js";
import { type KeyValue, type Ordering, orderBy, rangesBeyond, type Side } from "./ordering.js";

/** Conditions for disjoint ranges of the ordered rows: a row meets at most one. Null: all rows. */
export type Ranges = readonly Sql[] | null;

/** The part of the ordered rows that one statement reads. */
export interface Slice {
  readonly ranges: Ranges;
  /** The list of ORDER BY, reversed for a page that is read from its end. */
  readonly orderBy: Sql;
  /** Whether `orderBy` is reversed. */
  readonly reversed: boolean;
  readonly limit: number;
  /**
   * Whether the limit is hidden from PostgreSQL's planner. A plan for one limit seems so much cheaper than one for all that
   * PostgreSQL would otherwise plan a prepared statement anew each time it runs, which takes a third of a page's time.
   */
  readonly hidesLimit?: boolean;
  /** The number of rows before a numbered page; 0 for a page by cursor. A slice has ranges or an offset, not both. */
  readonly offset: bigint;
}

/** Gives a page's rows, already filtered and restricted to what the caller may see. */
export interface PageSource<Row> {
  rows(slice: Slice): Promise<Row[]>;
  /** Whether any row is in the ranges. */
  exists(ranges: Ranges): Promise<boolean>;
}

/** A row with its cursor, which is encoded only when it is asked for. */
export class Edge<Row> {
  readonly node: Row;
  readonly #encode: () => string;

  constructor(node: Row, encode: () => string) {
    this.node = node;
    this.#encode = encode;
  }

  get cursor(): string {
    return this.#encode();
  }
}

function edgesOf<Row>(ordering: Ordering<Row>, rows: readonly Row[]): Edge<Row>[] {
  const cursorOf = cursorsOf(ordering);
  return rows.map((node) => new Edge(node, () => cursorOf(node)));
}

/** A page. The methods send a statement only if the page's rows do not show the value. */
export interface Page<Row> {
  readonly edges: readonly Edge<Row>[];
  hasNextPage(): boolean | Promise<boolean>;
  hasPreviousPage(): boolean | Promise<boolean>;
}

/** Gives no rows. */
export const NO_ROWS: PageSource<never> = { rows: async () => [], exists: async () => false };

const both = (left: Ranges, right: Ranges): Ranges =>
  left && right ? left.flatMap((one) => right.map((other) => sql`${one} and ${other}`)) : (left ?? right);

/** The one condition that a row is in any of the ranges. */
export function anyOf(ranges: Ranges): Sql {
  if (ranges === null) return sql`true`;
  return ranges.length === 1 ? (ranges[0] as Sql) : sql`((${join([...ranges], ") or (")}))`;
}

/** LIMIT and OFFSET of a slice. */
export const limitOf = ({ limit, hidesLimit = false, offset }: Slice): Sql => {
  const most = hidesLimit ? sql`(select ${limit}::int)` : sql`${limit}::int`;
  return offset === 0n ? sql`limit ${most}` : sql`limit ${most} offset ${offset}::bigint`;
};

/**
 * Reads a page by keyset, or by number. One row more than the page is read, which shows whether another page follows in the
 * direction of reading. Whether there is a page in the other direction takes a statement of its own.
 * @throws ValidationError if a cursor is not one of this order.
 */
export async function readPage<Row>(
  ordering: Ordering<Row>,
  request: PageRequest,
  allRows: PageSource<Row>,
): Promise<Page<Row>> {
  const { size, withRows } = request;
  const source = withRows ? allRows : NO_ROWS;
  if (request.mode === "number") return readNumberedPage(ordering, size, request.page, source);
  const backward = request.mode === "backward";
  const after = request.after === null ? null : decodeCursor(ordering, request.after, "after");
  const before = request.before === null ? null : decodeCursor(ordering, request.before, "before");
  const read = await source.rows({
    ranges: both(
      after && rangesBeyond(ordering, after, "after"),
      before && rangesBeyond(ordering, before, "before"),
    ),
    orderBy: orderBy(ordering, backward),
    reversed: backward,
    limit: size + 1,
    offset: 0n,
  });
  const more = read.length > size;
  const rows = read.slice(0, size);
  if (backward) rows.reverse();

  const existBeyond = (cursor: KeyValue[] | null, side: Side) =>
    cursor === null ? false : source.exists(rangesBeyond(ordering, cursor, side, true));
  return {
    edges: edgesOf(ordering, rows),
    hasNextPage: () => (!backward && more) || existBeyond(before, "after"),
    hasPreviousPage: () => (backward && more) || existBeyond(after, "before"),
  };
}

async function readNumberedPage<Row>(
  ordering: Ordering<Row>,
  size: number,
  page: number,
  source: PageSource<Row>,
): Promise<Page<Row>> {
  const offset = BigInt(page - 1) * BigInt(size);
  const read = await source.rows({
    ranges: null,
    orderBy: orderBy(ordering),
    reversed: false,
    limit: size + 1,
    offset,
  });
  const rows = read.slice(0, size);
  return {
    edges: edgesOf(ordering, rows),
    hasNextPage: () => read.length > size,
    // An empty page behind the last one has a previous page if there is any row at all.
    hasPreviousPage: () => offset > 0 && (read.length > 0 || source.exists(null)),
  };
}

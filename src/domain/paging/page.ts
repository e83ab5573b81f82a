import sql, { type Sql } from "sql-template-tag";
import type { PageRequest } from "./arguments.js";
import { cursorsOf, decodeCursor } from "./cursor.js";
import { beyondPosition, type KeyValue, type Ordering, orderBy, positionAndBeyond } from "./ordering.js";

/** A stretch of the ordered rows, for a source to put into its statement. */
export interface Slice {
  /** Null: all. */
  readonly condition: Sql | null;
  readonly orderBy: Sql;
  readonly limit: number;
  readonly offset: number;
}

/** Where a page's rows come from: what is listed, filtered and allowed is the source's affair. */
export interface PageSource<Row> {
  rows(slice: Slice): Promise<Row[]>;
  /** Whether any row meets the condition; null: whether there is any. */
  exists(condition: Sql | null): Promise<boolean>;
}

/** A row, and its place in the order: put into words only when asked for. */
export class Edge<Row> {
  readonly node: Row;
  readonly #place: () => string;

  constructor(node: Row, place: () => string) {
    this.node = node;
    this.#place = place;
  }

  get cursor(): string {
    return this.#place();
  }
}

function edgesOf<Row>(ordering: Ordering<Row>, rows: readonly Row[]): Edge<Row>[] {
  const cursorOf = cursorsOf(ordering);
  return rows.map((node) => new Edge(node, () => cursorOf(node)));
}

/** A page, and what lies beyond it; the latter is asked of the database only where the rows cannot tell. */
export interface Page<Row> {
  readonly edges: readonly Edge<Row>[];
  hasNextPage(): boolean | Promise<boolean>;
  hasPreviousPage(): boolean | Promise<boolean>;
}

const both = (left: Sql | null, right: Sql | null): Sql | null =>
  left && right ? sql`${left} and ${right}` : (left ?? right);

/**
 * Reads a page by keyset, or by number. One row more than the page tells whether there is a next one in the
 * direction of reading; in the other direction it takes a look at what the cursor left out.
 * @throws ValidationError where a cursor is not one of this order.
 */
export async function readPage<Row>(
  ordering: Ordering<Row>,
  request: PageRequest,
  source: PageSource<Row>,
): Promise<Page<Row>> {
  if (request.mode === "number") return readNumberedPage(ordering, request.size, request.page, source);
  const { size } = request;
  const backward = request.mode === "backward";
  const after = request.after === null ? null : decodeCursor(ordering, request.after, "after");
  const before = request.before === null ? null : decodeCursor(ordering, request.before, "before");
  const read = await source.rows({
    condition: both(
      after && beyondPosition(ordering, after, "after"),
      before && beyondPosition(ordering, before, "before"),
    ),
    orderBy: orderBy(ordering, backward),
    limit: size + 1,
    offset: 0,
  });
  const more = read.length > size;
  const rows = read.slice(0, size);
  if (backward) rows.reverse();

  const leftOut = (cursor: KeyValue[] | null, side: "after" | "before") =>
    cursor === null ? false : source.exists(positionAndBeyond(ordering, cursor, side));
  return {
    edges: edgesOf(ordering, rows),
    hasNextPage: () => (!backward && more) || leftOut(before, "after"),
    hasPreviousPage: () => (backward && more) || leftOut(after, "before"),
  };
}

async function readNumberedPage<Row>(
  ordering: Ordering<Row>,
  size: number,
  page: number,
  source: PageSource<Row>,
): Promise<Page<Row>> {
  const offset = (page - 1) * size;
  const read = await source.rows({ condition: null, orderBy: orderBy(ordering), limit: size + 1, offset });
  const rows = read.slice(0, size);
  return {
    edges: edgesOf(ordering, rows),
    hasNextPage: () => read.length > size,
    // Past the last page everything lies before.
    hasPreviousPage: () => offset > 0 && (read.length > 0 || source.exists(null)),
  };
}

import sql, { join, type Sql } from "sql-template-tag";
import type { PageRequest } from "./arguments.js";
import { cursorsOf, decodeCursor } from "./cursor.js";
import { type KeyValue, type Ordering, orderBy, type Side, stretchesBeyond } from "./ordering.js";

/** Conditions of which a row meets none but one, each for a stretch of the ordered rows. Null: all rows. */
export type Stretches = readonly Sql[] | null;

/** Some of the ordered rows, for a source to put into its statement. */
export interface Slice {
  readonly stretches: Stretches;
  readonly orderBy: Sql;
  readonly limit: number;
  readonly offset: number;
}

/** Where a page's rows come from: what is listed, filtered and allowed is the source's affair. */
export interface PageSource<Row> {
  rows(slice: Slice): Promise<Row[]>;
  /** Whether any row is in them. */
  exists(stretches: Stretches): Promise<boolean>;
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

const both = (left: Stretches, right: Stretches): Stretches =>
  left && right ? left.flatMap((one) => right.map((other) => sql`${one} and ${other}`)) : (left ?? right);

/** The condition of stretches as a whole; that of all rows is true. */
export function anyOf(stretches: Stretches): Sql {
  if (stretches === null) return sql`true`;
  return stretches.length === 1 ? (stretches[0] as Sql) : sql`((${join([...stretches], ") or (")}))`;
}

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
    stretches: both(
      after && stretchesBeyond(ordering, after, "after"),
      before && stretchesBeyond(ordering, before, "before"),
    ),
    orderBy: orderBy(ordering, backward),
    limit: size + 1,
    offset: 0,
  });
  const more = read.length > size;
  const rows = read.slice(0, size);
  if (backward) rows.reverse();

  const leftOut = (cursor: KeyValue[] | null, side: Side) =>
    cursor === null ? false : source.exists(stretchesBeyond(ordering, cursor, side, true));
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
  const read = await source.rows({ stretches: null, orderBy: orderBy(ordering), limit: size + 1, offset });
  const rows = read.slice(0, size);
  return {
    edges: edgesOf(ordering, rows),
    hasNextPage: () => read.length > size,
    // Past the last page everything lies before.
    hasPreviousPage: () => offset > 0 && (read.length > 0 || source.exists(null)),
  };
}

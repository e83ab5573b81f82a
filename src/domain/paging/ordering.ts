import sql, { join, type Sql } from "sql-template-tag";

export type Direction = "ASC" | "DESC";

/** One key's value in a cursor: a text that PostgreSQL reads as the key's type, or null. */
export type KeyValue = string | null;

/** A property that rows are ordered by. */
export interface OrderKey<Row> {
  /** Names the key in a cursor, by which a cursor of another order is recognised. */
  readonly name: string;
  readonly column: Sql;
  readonly type: "uuid" | "timestamptz" | "numeric" | "text" | "bigint";
  /** Rows without a value come last in both directions. */
  readonly nullable?: true;
  readonly valueOf: (row: Row) => KeyValue;
}

/** An order that is total: its last key is unique. */
export type Ordering<Row> = readonly { readonly key: OrderKey<Row>; readonly direction: Direction }[];

/** A field to order by, as a caller asks for it. */
export interface Order<Field extends string> {
  readonly field: Field;
  readonly direction: Direction;
}

/**
 * The total order that a caller asks for. The unique key decides ties, in the direction of the last order given. A repeated
 * field is ignored.
 * @param fallback the order if the caller asks for none.
 */
export function totalOrdering<Row, Field extends string>(
  keys: Readonly<Record<Field, OrderKey<Row>>>,
  unique: OrderKey<Row>,
  fallback: Order<Field>,
  orders: readonly Order<Field>[] | null | undefined,
): Ordering<Row> {
  const given = orders && orders.length > 0 ? orders : [fallback];
  const distinct = given.filter(
    ({ field }, index) => given.findIndex((other) => other.field === field) === index,
  );
  const steps = distinct.map(({ field, direction }) => ({ key: keys[field], direction }));
  return [...steps, { key: unique, direction: given.at(-1)?.direction ?? fallback.direction }];
}

const CASTS = {
  uuid: sql`::uuid`,
  timestamptz: sql`::timestamptz`,
  numeric: sql`::numeric`,
  text: sql`::text`,
  bigint: sql`::bigint`,
} as const;

const DIRECTIONS = { ASC: sql`asc`, DESC: sql`desc` } as const;
const opposite = (direction: Direction): Direction => (direction === "ASC" ? "DESC" : "ASC");

const parameter = <Row>(key: OrderKey<Row>, value: string): Sql => sql`${value}${CASTS[key.type]}`;

/** The list of ORDER BY; reversed, to read a page from its end. */
export function orderBy<Row>(ordering: Ordering<Row>, reversed = false): Sql {
  return join(
    ordering.map(({ key, direction }) => {
      const word = DIRECTIONS[reversed ? opposite(direction) : direction];
      // NULLS LAST on a column without nulls would keep PostgreSQL from using the column's index.
      if (!key.nullable) return sql`${key.column} ${word}`;
      return reversed ? sql`${key.column} ${word} nulls first` : sql`${key.column} ${word} nulls last`;
    }),
  );
}

const equals = <Row>(key: OrderKey<Row>, value: KeyValue): Sql =>
  value === null ? sql`${key.column} is null` : sql`${key.column} = ${parameter(key, value)}`;

/** The condition that a row's key alone puts the row beyond a value; null if no row can meet it. */
function beyond<Row>(key: OrderKey<Row>, direction: Direction, value: KeyValue, side: Side): Sql | null {
  if (value === null) return side === "after" ? null : sql`${key.column} is not null`;
  const greater = (direction === "ASC") === (side === "after");
  const compared = greater
    ? sql`${key.column} > ${parameter(key, value)}`
    : sql`${key.column} < ${parameter(key, value)}`;
  return key.nullable && side === "after" ? sql`(${compared} or ${key.column} is null)` : compared;
}

/** A side of a place in the order. */
export type Side = "after" | "before";

/**
 * The condition that a row is on one side of a place, as a comparison of row values: PostgreSQL starts reading an index
 * at the place. A row whose first key is null is on neither side, since comparing with null is not true.
 */
function compareRows<Row>(
  ordering: Ordering<Row>,
  values: readonly KeyValue[],
  side: Side,
  inclusive: boolean,
): Sql {
  const columns = join(ordering.map(({ key }) => key.column));
  const place = join(ordering.map(({ key }, index) => parameter(key, values[index] ?? "")));
  const greater = (ordering[0]?.direction === "ASC") === (side === "after");
  if (inclusive) return greater ? sql`(${columns}) >= (${place})` : sql`(${columns}) <= (${place})`;
  return greater ? sql`(${columns}) > (${place})` : sql`(${columns}) < (${place})`;
}

/** The same condition for orders of mixed directions and with nullable keys. No index can start at the place. */
function compareKeys<Row>(
  ordering: Ordering<Row>,
  values: readonly KeyValue[],
  side: Side,
  inclusive: boolean,
): Sql {
  const alternatives = ordering.flatMap(({ key, direction }, index) => {
    const decisive = beyond(key, direction, values[index] ?? null, side);
    if (decisive === null) return [];
    const tied = ordering.slice(0, index).map((earlier, at) => equals(earlier.key, values[at] ?? null));
    return [sql`(${join([...tied, decisive], " and ")})`];
  });
  if (inclusive) {
    const itself = ordering.map(({ key }, index) => equals(key, values[index] ?? null));
    alternatives.push(sql`(${join(itself, " and ")})`);
  }
  return sql`(${join(alternatives, " or ")})`;
}

/**
 * The rows on one side of a place in the order, as disjoint ranges. If the order has an index, each range by itself can be
 * read from the index.
 * @param values the place's value of each key.
 * @param inclusive whether the row at the place is included.
 */
export function rangesBeyond<Row>(
  ordering: Ordering<Row>,
  values: readonly KeyValue[],
  side: Side,
  inclusive = false,
): Sql[] {
  const [first, ...rest] = ordering;
  const isUniform = new Set(ordering.map(({ direction }) => direction)).size === 1;
  if (!first || !isUniform || rest.some(({ key }) => key.nullable))
    return [compareKeys(ordering, values, side, inclusive)];
  const { nullable, column } = first.key;
  if (!nullable) return [compareRows(ordering, values, side, inclusive)];
  // Rows without a value come last.
  if (values[0] === null || values[0] === undefined) {
    const without = sql`${column} is null and ${compareRows(rest, values.slice(1), side, inclusive)}`;
    return side === "after" ? [without] : [sql`${column} is not null`, without];
  }
  const compared = compareRows(ordering, values, side, inclusive);
  return side === "after" ? [compared, sql`${column} is null`] : [compared];
}

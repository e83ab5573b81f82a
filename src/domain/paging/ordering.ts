import sql, { join, type Sql } from "sql-template-tag";

export type Direction = "ASC" | "DESC";

/** What a cursor holds of one key: a text that PostgreSQL reads as the key's type, or null. */
export type KeyValue = string | null;

/** Something that rows are ordered by. */
export interface OrderKey<Row> {
  /** Names the key in a cursor, so that a cursor of another order is told apart. */
  readonly name: string;
  readonly column: Sql;
  readonly type: "uuid" | "timestamptz" | "numeric" | "text" | "bigint";
  /** Rows without a value come last, in both directions. */
  readonly nullable?: true;
  readonly valueOf: (row: Row) => KeyValue;
}

/** An order that is total: its last key is unique. */
export type Ordering<Row> = readonly { readonly key: OrderKey<Row>; readonly direction: Direction }[];

/** What an order is by, and in which direction, whatever rows it is of. */
export type Steps = readonly { readonly key: { readonly name: string }; readonly direction: Direction }[];

/** One thing to order by, as a caller asks for it. */
export interface Order<Field extends string> {
  readonly field: Field;
  readonly direction: Direction;
}

/**
 * The total order that a caller asks for; ties fall to the unique key, in the direction of the last order given. A
 * field named again adds nothing.
 * @param usual where nothing is asked for.
 */
export function totalOrdering<Row, Field extends string>(
  keys: Readonly<Record<Field, OrderKey<Row>>>,
  unique: OrderKey<Row>,
  usual: Order<Field>,
  orders: readonly Order<Field>[] | null | undefined,
): Ordering<Row> {
  const given = orders && orders.length > 0 ? orders : [usual];
  const distinct = given.filter(
    ({ field }, index) => given.findIndex((other) => other.field === field) === index,
  );
  const asked = distinct.map(({ field, direction }) => ({ key: keys[field], direction }));
  return [...asked, { key: unique, direction: given.at(-1)?.direction ?? usual.direction }];
}

const CASTS = {
  uuid: sql`::uuid`,
  timestamptz: sql`::timestamptz`,
  numeric: sql`::numeric`,
  text: sql`::text`,
  bigint: sql`::bigint`,
} as const;

const WORDS = { ASC: sql`asc`, DESC: sql`desc` } as const;
const opposite = (direction: Direction): Direction => (direction === "ASC" ? "DESC" : "ASC");

const parameter = <Row>(key: OrderKey<Row>, value: string): Sql => sql`${value}${CASTS[key.type]}`;

/** ORDER BY's list; reversed, to read a page from its end. */
export function orderBy<Row>(ordering: Ordering<Row>, reversed = false): Sql {
  return join(
    ordering.map(({ key, direction }) => {
      const word = WORDS[reversed ? opposite(direction) : direction];
      // Where no value is missing, saying where nulls stand would keep PostgreSQL from using the index.
      if (!key.nullable) return sql`${key.column} ${word}`;
      return reversed ? sql`${key.column} ${word} nulls first` : sql`${key.column} ${word} nulls last`;
    }),
  );
}

const equals = <Row>(key: OrderKey<Row>, value: KeyValue): Sql =>
  value === null ? sql`${key.column} is null` : sql`${key.column} = ${parameter(key, value)}`;

/** The rows whose key alone puts them beyond a value; null where there are none. */
function beyond<Row>(key: OrderKey<Row>, direction: Direction, value: KeyValue, side: Side): Sql | null {
  if (value === null) return side === "after" ? null : sql`${key.column} is not null`;
  const greater = (direction === "ASC") === (side === "after");
  const compared = greater
    ? sql`${key.column} > ${parameter(key, value)}`
    : sql`${key.column} < ${parameter(key, value)}`;
  return key.nullable && side === "after" ? sql`(${compared} or ${key.column} is null)` : compared;
}

/** Which side of a row in the order. */
export type Side = "after" | "before";

/**
 * The rows on one side of a position by a comparison of rows, which walks an index from the very place. Those without a
 * value in the first key, if it may have none, are in neither: to compare with nothing is not true.
 */
function compareRows<Row>(
  ordering: Ordering<Row>,
  values: readonly KeyValue[],
  side: Side,
  inclusive: boolean,
): Sql {
  const columns = join(ordering.map(({ key }) => key.column));
  const position = join(ordering.map(({ key }, index) => parameter(key, values[index] ?? "")));
  const greater = (ordering[0]?.direction === "ASC") === (side === "after");
  if (inclusive) return greater ? sql`(${columns}) >= (${position})` : sql`(${columns}) <= (${position})`;
  return greater ? sql`(${columns}) > (${position})` : sql`(${columns}) < (${position})`;
}

/** The same in whatever order. */
function compareKeys<Row>(
  ordering: Ordering<Row>,
  values: readonly KeyValue[],
  side: Side,
  inclusive: boolean,
): Sql {
  const alternatives = ordering.flatMap(({ key, direction }, index) => {
    const decisive = beyond(key, direction, values[index] ?? null, side);
    if (decisive === null) return [];
    const tied = ordering.slice(0, index).map((earlier, place) => equals(earlier.key, values[place] ?? null));
    return [sql`(${join([...tied, decisive], " and ")})`];
  });
  if (inclusive) {
    const itself = ordering.map(({ key }, index) => equals(key, values[index] ?? null));
    alternatives.push(sql`(${join(itself, " and ")})`);
  }
  return sql`(${join(alternatives, " or ")})`;
}

/**
 * The rows on one side of a position in the order, in stretches that have no row in common: each, by itself, is walked
 * through in an index where there is one for the order.
 * @param inclusive whether the position itself is among them.
 */
export function stretchesBeyond<Row>(
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

import sql, { join, raw, type Sql } from "sql-template-tag";

/** A value whose text needs no quotes in an array of PostgreSQL: an id, a number, an instant, a name of this program. */
export type PlainValue = string | number | boolean | null;

/** A column of rows that are passed as one array for each column. */
export interface ArrayColumn<Row> {
  readonly name: string;
  /** The type of an element. Values of the type json must have no line breaks, as JSON.stringify writes them. */
  readonly type: string;
  readonly value: (row: Row) => PlainValue;
  /** Whether the values may be any text. */
  readonly isText?: boolean;
}

/** Writes an array as PostgreSQL reads it. `pg` would look at each element for characters that need quotes. */
export function arrayText<Row>(rows: readonly Row[], value: (row: Row) => PlainValue): string {
  let text = "";
  for (const row of rows) text += `${text === "" ? "{" : ","}${value(row) ?? "NULL"}`;
  return text === "" ? "{}" : `${text}}`;
}

/**
 * Rows for the FROM clause of a statement. The statement's text is the same for any number of rows, so that it is prepared
 * once.
 */
export const rowsOf = <Row>(
  alias: string,
  columns: readonly ArrayColumn<Row>[],
  rows: readonly Row[],
): Sql => {
  const arrays = columns.map(({ type, value, isText = false }) => {
    // JSON is full of quotes, each of which would have to be escaped in an array.
    if (type === "json") return sql`string_to_array(${rows.map(value).join("\n")}, E'\\n')::json[]`;
    const array = isText ? rows.map(value) : arrayText(rows, value);
    return sql`${array}::${raw(type)}[]`;
  });
  const names = columns.map(({ name }) => name).join(", ");
  return sql`unnest(${join(arrays)}) as ${raw(`${alias} (${names})`)}`;
};

/** Names of columns for a statement. */
export const namesOf = (columns: readonly Pick<ArrayColumn<never>, "name">[]): Sql =>
  raw(columns.map(({ name }) => name).join(", "));

import sql, { join, raw, type Sql } from "sql-template-tag";

/** A value whose text needs no quotes in an array of PostgreSQL: an id, a number, an instant, a name of this program. */
export type PlainValue = string | number | boolean | null;

/** A column of rows that are passed as one array for each column. */
export interface ArrayColumn<Row> {
  readonly name: string;
  /** The type of an element. */
  readonly type: string;
  readonly value: (row: Row) => PlainValue;
  /** Whether the values may be any text; in records only. */
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
  const arrays = columns.map(({ type, value }) => sql`${arrayText(rows, value)}::${raw(type)}[]`);
  const names = columns.map(({ name }) => name).join(", ");
  return sql`unnest(${join(arrays)}) as ${raw(`${alias} (${names})`)}`;
};

/** A composite type of the database, whose name ends in `_record`, and how its values are made from rows. */
export interface RecordType<Row> {
  readonly name: string;
  /** All columns of the type, in its order. */
  readonly columns: readonly ArrayColumn<Row>[];
}

const quoted = (text: string): string => `"${text.replace(/["\\]/g, "$&$&")}"`;

/** Writes an array of records as PostgreSQL reads it. A field without a character is null. */
function recordsText<Row>(columns: readonly ArrayColumn<Row>[], rows: readonly Row[]): string {
  let text = "{";
  for (const row of rows) {
    let fields = "";
    for (const { value, isText = false } of columns) {
      const field = value(row) ?? "";
      fields += `,${isText && field !== "" ? quoted(String(field)).replace(/["\\]/g, "\\$&") : field}`;
    }
    text += `${text === "{" ? "" : ","}"(${fields.slice(1)})"`;
  }
  return `${text}}`;
}

/**
 * Rows for the FROM clause of a statement, as one array of records. With an array for each of many columns, PostgreSQL would
 * take longer to join the arrays than to insert the rows. An empty text counts as null.
 */
export const recordsOf = <Row>({ name, columns }: RecordType<Row>, rows: readonly Row[]): Sql =>
  sql`unnest(${recordsText(columns, rows)}::${raw(name)}[])`;

/** Names of columns for a statement. */
export const namesOf = (columns: readonly Pick<ArrayColumn<never>, "name">[]): Sql =>
  raw(columns.map(({ name }) => name).join(", "));

import sql, { empty, type Sql } from "sql-template-tag";
import type { Database } from "../../database/database.js";
import { once } from "../once.js";
import type { PageRequest } from "./arguments.js";
import type { Ordering } from "./ordering.js";
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
  /** What its columns need besides; it neither adds nor takes a row. */
  readonly joins?: Sql;
  readonly where: Sql;
}

export const bounds = ({ limit, offset }: Slice): Sql =>
  offset === 0 ? sql`limit ${limit}::int` : sql`limit ${limit}::int offset ${offset}::bigint`;

/** A page of what a statement lists; one statement for its rows, one more for each thing that they cannot tell. */
export async function readList<Row>(
  database: Database,
  list: SqlList,
  ordering: Ordering<Row>,
  request: PageRequest,
): Promise<CountedPage<Row>> {
  const { with: prefix = empty, columns, table, joins = empty, where } = list;
  const and = (condition: Sql | null) => (condition ? sql`${where} and ${condition}` : where);
  const source: PageSource<Row> = {
    rows: (slice) =>
      database.query<Row>(sql`${prefix}
        select ${columns} from ${table} ${joins}
        where ${and(slice.condition)} order by ${slice.orderBy} ${bounds(slice)}`),
    exists: async (condition) => {
      const found = await database.query(sql`${prefix} select from ${table} where ${and(condition)} limit 1`);
      return found.length > 0;
    },
  };
  const page = await readPage(ordering, request, source);
  return {
    ...page,
    totalCount: once(async () => {
      const rows = await database.query<{ count: number }>(
        sql`${prefix} select count(*) as count from ${table} where ${where}`,
      );
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

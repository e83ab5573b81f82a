/** Enough of a file for its first lines, in bytes. */
const HEAD = 65_536;

/** The fields that the server reads from a file of links, besides tag:TYPE. */
export const FIELDS = [
  "channel_id",
  "url",
  "name",
  "budget",
  "created_at",
  "expire_date",
  "creator_id",
  "member_limit",
  "subscription_price",
  "creates_join_request",
  "is_revoked",
  "is_bot_created",
  "external_id",
] as const;
export type Field = (typeof FIELDS)[number];

/** Splits a line into its cells, which may stand in quotation marks. */
function cellsOf(line: string, delimiter: string): string[] {
  const cells: string[] = [];
  let cell = "";
  let isQuoted = false;
  for (const [index, character] of [...line].entries()) {
    if (character === '"') {
      // Of two quotation marks inside of a cell, one stays.
      if (!isQuoted && line[index - 1] === '"' && cell !== "") cell += '"';
      isQuoted = !isQuoted;
    } else if (character === delimiter && !isQuoted) {
      cells.push(cell);
      cell = "";
    } else cell += character;
  }
  return [...cells, cell].map((text) => text.trim());
}

/** The names of a CSV file's columns. */
export function columnsOf(text: string): string[] {
  const lines = text.replace(/^\ufeff/, "").split(/\r\n|\n|\r/);
  const [, declared] = /^sep=(.)$/i.exec(lines[0] ?? "") ?? [];
  const header = lines[declared === undefined ? 0 : 1] ?? "";
  const count = (delimiter: string) => header.split(delimiter).length;
  const [likely = ","] = [",", ";", "\t"].sort((one, other) => count(other) - count(one));
  return cellsOf(header, declared ?? likely).filter((name) => name !== "");
}

/** The columns of a file; null if it is not CSV but JSON, whose properties have the names of the fields. */
export async function readColumns(file: Blob): Promise<string[] | null> {
  const text = await file.slice(0, HEAD).text();
  return /^\ufeff?\s*[{[]/.test(text) ? null : columnsOf(text);
}

/** The field that a column has by its name; null for none. */
export const fieldOfColumn = (column: string): string | null =>
  FIELDS.find((field) => field === column.toLowerCase()) ?? (/^tag:/i.test(column) ? column : null);

/** Columns with the numbers of members, which an export has and the import ignores. */
const IGNORED = [
  "join_count",
  "leave_count",
  "removed_count",
  "active_count",
  "unique_join_count",
  "join_request_count",
  "pending_join_request_count",
  "cost_per_join",
  "cost_per_active_member",
  "first_join_at",
  "last_join_at",
];
export const isIgnored = (column: string): boolean => IGNORED.includes(column.toLowerCase());

import { stringify } from "csv-stringify/sync";
import type { ExportedLink, LinkExport } from "../domain/transfer/exportLinks.js";
import type { SourceRow } from "../domain/transfer/importLinks.js";
import {
  COLUMNS,
  type Column,
  type LinkRecord,
  STATS_COLUMNS,
  type StatsColumn,
} from "../domain/transfer/linkRecord.js";
import { type ColumnMap, mappedField, tagTypeOf } from "./columnMap.js";
import { csvRecords } from "./csvRecords.js";
import { SourceError } from "./sourceError.js";

/** Spreadsheets separate cells by the list separator of the user's country. */
const DELIMITERS = [",", ";", "\t"] as const;
/** The beginning of a text that spreadsheets treat as a formula, possibly behind apostrophes that writeText put there. */
const FORMULA = /^'*[=+\-@＝＋－＠\t\r\n]/;

/** Puts an apostrophe before a text that a spreadsheet would treat as a formula. readText removes the apostrophe. */
const writeText = (text: string): string => (FORMULA.test(text) ? `'${text}` : text);
const readText = (cell: string): string =>
  cell.startsWith("'") && FORMULA.test(cell) ? cell.slice(1) : cell;

/** Writes several names into one cell, separated by bars. */
const writeNames = (names: readonly string[]): string =>
  writeText(names.map((name) => name.replace(/[\\|]/g, "\\$&")).join(" | "));

function readNames(cell: string): string[] {
  const names = readText(cell).match(/(?:\\[\\|]|[^|])+/g) ?? [];
  return names.map((name) => name.replace(/\\([\\|])/g, "$1").trim()).filter((name) => name !== "");
}

/** The content of a column; null for a column without a name. */
type HeaderCell =
  | { readonly column: Column }
  | { readonly tagType: string }
  | { readonly ignored: StatsColumn }
  | null;

/** The columns whose texts people choose. */
const isText = (column: Column): boolean => column === "name" || column === "external_id";

const COLUMN_NAMES = `The columns are ${COLUMNS.join(", ")}, and tag:TYPE for the tags of a type`;

const isBlank = (text: string | undefined): boolean => (text ?? "").trim() === "";
const quoted = (text: string): string => JSON.stringify(text.slice(0, 100));

function readHeaderCell(text: string, map: ColumnMap): HeaderCell {
  const name = text.trim();
  if (name === "") return null;
  const field = mappedField(map, name) ?? name;
  const tagType = tagTypeOf(field);
  if (tagType !== null) return { tagType };
  const column = COLUMNS.find((candidate) => candidate === field.toLowerCase());
  if (column !== undefined) return { column };
  const ignored = STATS_COLUMNS.find((candidate) => candidate === field.toLowerCase());
  if (ignored !== undefined) return { ignored };
  throw new SourceError(
    `There is no field for the column ${quoted(name)}. ${COLUMN_NAMES}. Use --map FIELD=COLUMN to name its field, such as --map budget=${quoted(name)}.`,
  );
}

/**
 * Reads the header of a file. Columns without a name at its end are dropped.
 * @param required the column that the file must have
 * @throws SourceError
 */
function readHeader(header: readonly string[], map: ColumnMap, required: Column): HeaderCell[] {
  for (const { field, column } of map.values()) {
    if (field === "tags") {
      throw new SourceError("In CSV each tag type has a column of its own. Use --map tag:TYPE=COLUMN.");
    }
    if (!header.some((name) => mappedField(map, name) === field)) {
      throw new SourceError(
        `The file has no column ${quoted(column)}, which --map names. Its columns are ${header.map(quoted).join(", ").slice(0, 500)}.`,
      );
    }
  }
  const cells = header.map((text) => readHeaderCell(text, map));
  const names = cells.flatMap((cell) =>
    cell && !("ignored" in cell) ? ["column" in cell ? cell.column : `tag:${cell.tagType}`] : [],
  );
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new SourceError(`Two columns contain ${JSON.stringify(twice)}.`);
  if (!names.includes(required)) {
    throw new SourceError(
      `The file has no column ${required}. ${COLUMN_NAMES}. If the column has another name, use --map ${required}=COLUMN.`,
    );
  }
  return cells.slice(0, cells.findLastIndex((cell) => cell !== null) + 1);
}

/** Whether a row has the right number of cells. Spreadsheets write additional empty cells for formatted columns. */
const fits = (header: readonly HeaderCell[], row: readonly string[]): boolean =>
  row.length >= header.length && row.slice(header.length).every(isBlank);

function readRow(header: readonly HeaderCell[], row: readonly string[]): SourceRow["record"] {
  if (!fits(header, row)) {
    return { unreadable: `The row has ${row.length} cells, but the header has ${header.length} columns.` };
  }
  const record: Partial<Record<Column, string>> = {};
  const tags: { type: string; name: string }[] = [];
  const tagTypes: string[] = [];
  for (const [index, cell] of header.entries()) {
    const text = row[index] ?? "";
    if (cell === null) {
      if (!isBlank(text)) {
        return { unreadable: `Cell ${index + 1} is not empty, but its column has no name in the header.` };
      }
    } else if ("column" in cell) {
      record[cell.column] = isText(cell.column) ? readText(text) : text;
    } else if ("tagType" in cell) {
      tagTypes.push(cell.tagType);
      tags.push(...readNames(text).map((name) => ({ type: cell.tagType, name })));
    }
  }
  return tagTypes.length === 0 ? record : ({ ...record, tags, tagTypes } satisfies LinkRecord);
}

/** A first line that names the delimiter for Excel, such as "sep=;". A tab is written as a tab or as \t. */
const SEPARATOR_LINE = /^"?sep=(\\t|[^\w\s"]|\t)"?[,;\t ]*$/i;

/** How the cells of a file are separated. */
export interface Separation {
  readonly delimiter: string;
  /** Whether the first line is a "sep=" line, which the header follows. */
  readonly isDeclared: boolean;
}

/** Finds the delimiter: by a "sep=" line, otherwise the one that occurs most often in the header. @param line the first line */
export function separationOf(line: string): Separation {
  const declared = SEPARATOR_LINE.exec(line)?.[1];
  if (declared !== undefined) return { delimiter: declared === "\\t" ? "\t" : declared, isDeclared: true };
  const unquoted = line.replace(/"[^"]*"?/g, "");
  const counts = DELIMITERS.map((delimiter) => unquoted.split(delimiter).length);
  return { delimiter: DELIMITERS[counts.indexOf(Math.max(...counts))] ?? ",", isDeclared: false };
}

/** Reads one link from each row. @param required the column that the file must have. @throws SourceError if the header is not acceptable */
export async function* readCsv(
  texts: AsyncIterable<string>,
  { delimiter, isDeclared }: Separation,
  map: ColumnMap,
  required: Column,
): AsyncGenerator<SourceRow> {
  let header: HeaderCell[] | undefined;
  let isSeparatorNext = isDeclared;
  for await (const { line, record } of csvRecords(
    texts,
    delimiter,
    (cells) => !header || fits(header, cells),
  )) {
    if (isSeparatorNext) isSeparatorNext = false;
    else if ("unreadable" in record) {
      if (!header) throw new SourceError(`The file is not CSV. Line ${line}: ${record.unreadable}`);
      yield { place: `line ${line}`, record };
    } else if (header) yield { place: `line ${line}`, record: readRow(header, record) };
    else header = readHeader(record, map, required);
  }
}

/** Spreadsheets translate true and false into the user's language, but leave yes and no unchanged. */
const writeBoolean = (value: boolean): string => (value ? "yes" : "no");

/** Every possible delimiter inside a cell is quoted, so that separationOf finds the right one in a header. */
const QUOTED = /[\r\n;\t]/;

const stringifyRow = (cells: readonly (string | number | null)[]): string =>
  stringify([[...cells]], { record_delimiter: "\r\n", quoted_match: QUOTED });

function writeRow(link: ExportedLink, tagTypes: readonly string[]): string {
  const cells = COLUMNS.map((column) => {
    const value = link[column];
    if (typeof value === "boolean") return writeBoolean(value);
    return isText(column) && typeof value === "string" ? writeText(value) : value;
  });
  const numbers = link.stats ? STATS_COLUMNS.map((column) => link.stats?.[column] ?? null) : [];
  const names = tagTypes.map((type) =>
    writeNames(link.tags.filter((tag) => tag.type === type).map(({ name }) => name)),
  );
  return stringifyRow([...cells, ...names, ...numbers]);
}

/** Writes one link into each row. Spreadsheets recognise UTF-8 by the byte order mark. */
export async function* writeCsv({ tagTypes, hasStats, links }: LinkExport): AsyncGenerator<string> {
  const tagColumns = tagTypes.map((type) => `tag:${type}`);
  yield `\ufeff${stringifyRow([...COLUMNS, ...tagColumns, ...(hasStats ? STATS_COLUMNS : [])])}`;
  for await (const link of links) yield writeRow(link, tagTypes);
}

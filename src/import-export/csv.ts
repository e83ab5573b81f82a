import { stringify } from "csv-stringify/sync";
import type { ExportedLink, LinkExport } from "../domain/transfer/exportLinks.js";
import type { SourceRow } from "../domain/transfer/importLinks.js";
import { COLUMNS, type Column, type LinkRecord } from "../domain/transfer/linkRecord.js";
import { type ColumnMap, mappedField, tagTypeOf } from "./columnMap.js";
import { csvRecords } from "./csvRecords.js";
import { SourceError } from "./sourceError.js";

/** Spreadsheets write what their country separates lists by. */
const DELIMITERS = [",", ";", "\t"] as const;
/** What spreadsheets take for the beginning of a formula, be it behind apostrophes of ours. */
const FORMULA = /^'*[=+\-@＝＋－＠\t\r\n]/;

/** A text that no spreadsheet takes for a formula; readText has it as it was. */
const writeText = (text: string): string => (FORMULA.test(text) ? `'${text}` : text);
const readText = (cell: string): string =>
  cell.startsWith("'") && FORMULA.test(cell) ? cell.slice(1) : cell;

/** Names in one cell, with bars between them. */
const writeNames = (names: readonly string[]): string =>
  writeText(names.map((name) => name.replace(/[\\|]/g, "\\$&")).join(" | "));

function readNames(cell: string): string[] {
  const names = readText(cell).match(/(?:\\[\\|]|[^|])+/g) ?? [];
  return names.map((name) => name.replace(/\\([\\|])/g, "$1").trim()).filter((name) => name !== "");
}

/** What a column holds; null for one that the header does not name. */
type Cell = { readonly column: Column } | { readonly tagType: string } | null;

const KNOWN = `known are ${COLUMNS.join(", ")}, and tag:TYPE for the tags of a type`;

const isBlank = (text: string | undefined): boolean => (text ?? "").trim() === "";
const quoted = (text: string): string => JSON.stringify(text.slice(0, 100));

function readHeaderCell(text: string, map: ColumnMap): Cell {
  const name = text.trim();
  if (name === "") return null;
  const field = mappedField(map, name) ?? name;
  const tagType = tagTypeOf(field);
  if (tagType !== null) return { tagType };
  const column = COLUMNS.find((known) => known === field.toLowerCase());
  if (column !== undefined) return { column };
  throw new SourceError(
    `The column ${quoted(name)} is not known; ${KNOWN}. Say what it holds by --map FIELD=COLUMN, such as --map budget=${quoted(name)}.`,
  );
}

/** What each column of a file is; columns without a name behind the others are left out. @throws SourceError */
function readHeader(header: readonly string[], map: ColumnMap): Cell[] {
  for (const { field, column } of map.values()) {
    if (field === "tags") {
      throw new SourceError("In CSV each type of tags has a column of its own: use --map tag:TYPE=COLUMN.");
    }
    if (!header.some((name) => mappedField(map, name) === field)) {
      throw new SourceError(
        `There is no column ${quoted(column)}, which --map names; there are ${header.map(quoted).join(", ").slice(0, 500)}.`,
      );
    }
  }
  const cells = header.map((text) => readHeaderCell(text, map));
  const names = cells.flatMap((cell) =>
    cell ? ["column" in cell ? cell.column : `tag:${cell.tagType}`] : [],
  );
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new SourceError(`The column ${JSON.stringify(twice)} is there twice.`);
  if (!names.includes("url")) {
    throw new SourceError(
      `There is no column url; ${KNOWN}. Where it is called otherwise, say so by --map url=COLUMN.`,
    );
  }
  return cells.slice(0, cells.findLastIndex((cell) => cell !== null) + 1);
}

/** Spreadsheets write empty cells beyond the last column, as far as anything was ever formatted. */
const fits = (header: readonly Cell[], row: readonly string[]): boolean =>
  row.length >= header.length && row.slice(header.length).every(isBlank);

function readRow(header: readonly Cell[], row: readonly string[]): SourceRow["record"] {
  if (!fits(header, row)) {
    return { unreadable: `There are ${row.length} cells, and ${header.length} columns in the header.` };
  }
  const record: Partial<Record<Column, string>> = {};
  const tags: { type: string; name: string }[] = [];
  const tagTypes: string[] = [];
  for (const [index, cell] of header.entries()) {
    const text = row[index] ?? "";
    if (cell === null) {
      if (!isBlank(text)) {
        return { unreadable: `Cell ${index + 1} is in a column that has no name in the header.` };
      }
    } else if ("column" in cell) {
      record[cell.column] = cell.column === "name" ? readText(text) : text;
    } else {
      tagTypes.push(cell.tagType);
      tags.push(...readNames(text).map((name) => ({ type: cell.tagType, name })));
    }
  }
  return tagTypes.length === 0 ? record : ({ ...record, tags, tagTypes } satisfies LinkRecord);
}

/** A first line by which Excel is told what separates the cells: sep=; or, for a tab, sep= and a tab or a \t. */
const SEPARATOR_LINE = /^"?sep=(\\t|[^\w\s"]|\t)"?[,;\t ]*$/i;

/** What separates the cells, and whether a line says so before the header. */
export interface Separation {
  readonly delimiter: string;
  readonly isSaid: boolean;
}

/** @param line a file's first line. */
export function separationOf(line: string): Separation {
  const said = SEPARATOR_LINE.exec(line)?.[1];
  if (said !== undefined) return { delimiter: said === "\\t" ? "\t" : said, isSaid: true };
  const unquoted = line.replace(/"[^"]*"?/g, "");
  const counts = DELIMITERS.map((delimiter) => unquoted.split(delimiter).length);
  return { delimiter: DELIMITERS[counts.indexOf(Math.max(...counts))] ?? ",", isSaid: false };
}

/** Reads one link a row. @throws SourceError for a file whose header is not one of links */
export async function* readCsv(
  texts: AsyncIterable<string>,
  { delimiter, isSaid }: Separation,
  map: ColumnMap,
): AsyncGenerator<SourceRow> {
  let header: Cell[] | undefined;
  let isSeparatorNext = isSaid;
  for await (const { line, record } of csvRecords(
    texts,
    delimiter,
    (cells) => !header || fits(header, cells),
  )) {
    if (isSeparatorNext) isSeparatorNext = false;
    else if ("unreadable" in record) {
      if (!header) throw new SourceError(`This is no CSV: line ${line}: ${record.unreadable}`);
      yield { place: `line ${line}`, record };
    } else if (header) yield { place: `line ${line}`, record: readRow(header, record) };
    else header = readHeader(record, map);
  }
}

/** One that spreadsheets leave as it is, in every language. */
const writeBoolean = (value: boolean): string => (value ? "yes" : "no");

/** Whatever separates rows or cells anywhere is quoted, so that a header shows what separates them here. */
const QUOTED = /[\r\n;\t]/;

const stringifyRow = (cells: readonly (string | number | null)[]): string =>
  stringify([[...cells]], { record_delimiter: "\r\n", quoted_match: QUOTED });

function writeRow(link: ExportedLink, tagTypes: readonly string[]): string {
  const cells = COLUMNS.map((column) => {
    const value = link[column];
    if (typeof value === "boolean") return writeBoolean(value);
    return column === "name" && typeof value === "string" ? writeText(value) : value;
  });
  const names = tagTypes.map((type) =>
    writeNames(link.tags.filter((tag) => tag.type === type).map(({ name }) => name)),
  );
  return stringifyRow([...cells, ...names]);
}

/** Writes one link a row, in UTF-8 with the mark by which spreadsheets know it. */
export async function* writeCsv({ tagTypes, links }: LinkExport): AsyncGenerator<string> {
  yield `\ufeff${stringifyRow([...COLUMNS, ...tagTypes.map((type) => `tag:${type}`)])}`;
  for await (const link of links) yield writeRow(link, tagTypes);
}

import { pipeline, Readable } from "node:stream";
import { CsvError, type InfoRecord, parse } from "csv-parse";
import { stringify } from "csv-stringify/sync";
import type { ExportedLink, LinkExport } from "../domain/moving/exportLinks.js";
import type { SourceRow } from "../domain/moving/importLinks.js";
import { COLUMNS, type Column, type LinkRecord } from "../domain/moving/linkRecord.js";
import { SourceError } from "./sourceError.js";
import { MAX_LINE_LENGTH } from "./text.js";

const TAG_COLUMN = /^tag:/i;
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

type Cell = { readonly column: Column } | { readonly tagType: string };

/** What each column of a file is. @throws SourceError naming those that are not known */
function readHeader(header: readonly string[]): Cell[] {
  const cells = header.map((text): Cell | string => {
    const name = text.trim();
    if (TAG_COLUMN.test(name)) return { tagType: name.replace(TAG_COLUMN, "").trim() };
    return { column: name.toLowerCase() as Column };
  }) as Cell[];
  const names = cells.map((cell) => ("column" in cell ? cell.column : `tag:${cell.tagType}`));
  const unknown = cells.find((cell) => "column" in cell && !COLUMNS.includes(cell.column));
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  const known = `known are ${COLUMNS.join(", ")}, and tag:TYPE for the tags of a type`;
  if (unknown && "column" in unknown) {
    throw new SourceError(`The column ${JSON.stringify(unknown.column)} is not known; ${known}.`);
  }
  if (twice !== undefined) throw new SourceError(`The column ${JSON.stringify(twice)} is there twice.`);
  if (!names.includes("url")) throw new SourceError(`There is no column url; ${known}.`);
  return cells;
}

function readCell(column: Column, cell: string): string {
  if (column === "name") return readText(cell);
  // Where commas do not separate cells they are what amounts have before their cents.
  return column === "budget" ? cell.trim().replace(/^(\d+),(\d{1,2})$/, "$1.$2") : cell;
}

function readRow(header: readonly Cell[], row: readonly string[]): SourceRow["record"] {
  if (row.length !== header.length) {
    return { unreadable: `There are ${row.length} cells, and ${header.length} columns in the header.` };
  }
  const record: Partial<Record<Column, string>> = {};
  const tags: { type: string; name: string }[] = [];
  const tagTypes: string[] = [];
  for (const [index, cell] of header.entries()) {
    const text = row[index] ?? "";
    if ("column" in cell) record[cell.column] = readCell(cell.column, text);
    else {
      tagTypes.push(cell.tagType);
      tags.push(...readNames(text).map((name) => ({ type: cell.tagType, name })));
    }
  }
  return tagTypes.length === 0 ? record : ({ ...record, tags, tagTypes } satisfies LinkRecord);
}

/** @param header a file's first line. */
export function delimiterOf(header: string): string {
  const unquoted = header.replace(/"[^"]*"?/g, "");
  const counts = DELIMITERS.map((delimiter) => unquoted.split(delimiter).length);
  return DELIMITERS[counts.indexOf(Math.max(...counts))] ?? ",";
}

/** Reads one link a row. @throws SourceError for a file that is no such table, or breaks off being one */
export async function* readCsv(texts: AsyncIterable<string>, delimiter: string): AsyncGenerator<SourceRow> {
  const parser = parse({
    delimiter,
    record_delimiter: ["\r\n", "\n", "\r"],
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    // Spreadsheets write rows that somebody emptied, or only formatted.
    skip_records_with_empty_values: true,
    max_record_size: MAX_LINE_LENGTH,
  });
  // What fails on either side is thrown where the rows are taken.
  pipeline(Readable.from(texts), parser, () => {});
  let header: Cell[] | undefined;
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: InfoRecord }>) {
      if (header) yield { place: `line ${info.lines}`, record: readRow(header, record) };
      else header = readHeader(record);
    }
  } catch (error) {
    if (error instanceof CsvError) throw new SourceError(`This is no CSV: ${error.message}.`);
    throw error;
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

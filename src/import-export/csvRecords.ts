import { CsvError, parse } from "csv-parse/sync";
import { linesOf, MAX_LINE_LENGTH, TOO_LONG } from "./text.js";

/** A record of a CSV file, or why there is none to be had of its line. */
export interface CsvRecord {
  /** The number of its first line. */
  readonly line: number;
  readonly record: readonly string[] | { readonly unreadable: string };
}

const STRAY_QUOTE =
  'A quotation mark is not closed, or stands in a cell that does not begin with one. Within quotation marks write it twice: "a 5"" disc".';

const isOdd = (line: string): boolean => (line.match(/"/g)?.length ?? 0) % 2 === 1;

/** The cells of a record; null where its quotation marks make none. */
function cellsOf(text: string, delimiter: string): string[] | null {
  if (!text.includes('"')) return text.replace(/[\r\n]+$/, "").split(delimiter);
  try {
    const [cells, ...more] = parse(text, {
      delimiter,
      record_delimiter: ["\r\n", "\n", "\r"],
      relax_column_count: true,
    });
    return more.length === 0 ? (cells ?? []) : null;
  } catch (error) {
    if (error instanceof CsvError) return null;
    throw error;
  }
}

/**
 * Reads a CSV text record by record, rows of empty cells left out. A stray quotation mark seems to open a cell that
 * reaches over many lines: then the first of them alone is unreadable, and reading goes on with the next line.
 * @param fits whether a record has as many cells as it should; one of several lines that has not is taken for an opened
 * quotation mark as well.
 */
export async function* csvRecords(
  texts: AsyncIterable<string>,
  delimiter: string,
  fits: (cells: readonly string[]) => boolean,
): AsyncGenerator<CsvRecord> {
  const lines = linesOf(texts);
  /** Lines that are read again, the next one last. */
  const again: [number: number, line: string][] = [];
  for (;;) {
    const first = again.pop() ?? (await lines.next()).value;
    if (first === undefined) return;
    const [line, begin] = first as [number, string];
    if (begin.length > MAX_LINE_LENGTH) {
      yield { line, record: TOO_LONG };
      continue;
    }
    const followers: [number, string][] = [];
    let text = begin;
    let isOpen = isOdd(begin);
    while (isOpen && text.length <= MAX_LINE_LENGTH) {
      const next = again.pop() ?? (await lines.next()).value;
      if (next === undefined) break;
      followers.push(next as [number, string]);
      text += (next as [number, string])[1];
      if (isOdd((next as [number, string])[1])) isOpen = false;
    }
    const cells = isOpen ? null : cellsOf(text, delimiter);
    if (cells === null || (followers.length > 0 && !fits(cells))) {
      for (const follower of followers.reverse()) again.push(follower);
      yield { line, record: { unreadable: STRAY_QUOTE } };
    } else if (cells.some((cell) => cell.trim() !== "")) {
      yield { line, record: cells };
    }
  }
}

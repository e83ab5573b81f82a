import { CsvError, parse } from "csv-parse/sync";
import { linesOf, MAX_LINE_LENGTH, TOO_LONG, turns } from "./text.js";

/** A record of a CSV file, or the reason why a line is not readable. */
export interface CsvRecord {
  /** The number of the record's first line. */
  readonly line: number;
  readonly record: readonly string[] | { readonly unreadable: string };
}

const STRAY_QUOTE =
  'A quotation mark is not closed, or is in a cell that does not begin with one. Inside a quoted cell a quotation mark must be doubled: "a 5"" disc".';

const isOdd = (line: string): boolean => (line.match(/"/g)?.length ?? 0) % 2 === 1;

/** Splits a record into cells; null if its quotation marks are wrong. */
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
 * Reads a CSV text record by record and drops rows of empty cells. A stray quotation mark looks like the beginning of a
 * cell with many lines. In this case only its own line is reported as unreadable, and reading continues with the next line.
 * @param fits whether a record has the right number of cells. A record of several lines that does not fit is treated as a
 * stray quotation mark, too.
 */
export async function* csvRecords(
  texts: AsyncIterable<string>,
  delimiter: string,
  fits: (cells: readonly string[]) => boolean,
): AsyncGenerator<CsvRecord> {
  const lines = linesOf(texts);
  const turn = turns();
  /** Lines to be read again, the next one last. */
  const again: [number: number, line: string][] = [];
  for (;;) {
    await turn();
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

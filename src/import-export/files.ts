import type { LinkExport } from "../domain/transfer/exportLinks.js";
import type { SourceRow } from "../domain/transfer/importLinks.js";
import type { Column } from "../domain/transfer/linkRecord.js";
import type { ColumnMap } from "./columnMap.js";
import { readCsv, separationOf, writeCsv } from "./csv.js";
import { readJsonArray } from "./jsonArray.js";
import { readJsonLines, writeJsonLines } from "./jsonLines.js";
import { decodeUtf8, peekLine } from "./text.js";

export const FORMATS = { csv: writeCsv, jsonl: writeJsonLines } as const satisfies Record<
  string,
  (links: LinkExport) => AsyncGenerator<string>
>;
export type Format = keyof typeof FORMATS;

const CHUNK_LENGTH = 65_536;

/** Joins texts into chunks that are large enough for one write. */
export async function* inChunks(texts: AsyncIterable<string>): AsyncGenerator<string> {
  let chunk = "";
  for await (const text of texts) {
    chunk += text;
    if (chunk.length < CHUNK_LENGTH) continue;
    yield chunk;
    chunk = "";
  }
  if (chunk !== "") yield chunk;
}

/**
 * Reads links from CSV, JSON lines or a JSON array. A file that begins with "{" is JSON lines, and one that begins with "["
 * a JSON array. An empty file has no links.
 * @param required the column that a CSV file must have
 * @throws SourceError if the file cannot be read further. A single bad row is no error: it becomes an unreadable record.
 */
export async function* readFileOfLinks(
  chunks: AsyncIterable<Uint8Array>,
  map: ColumnMap = new Map(),
  required: Column = "url",
): AsyncGenerator<SourceRow> {
  const { line, whole } = await peekLine(decodeUtf8(chunks));
  if (line.startsWith("{")) yield* readJsonLines(whole, map);
  else if (line.startsWith("[")) yield* readJsonArray(whole, map);
  else if (line !== "") yield* readCsv(whole, separationOf(line), map, required);
}

import type { LinkExport } from "../domain/moving/exportLinks.js";
import type { SourceRow } from "../domain/moving/importLinks.js";
import { delimiterOf, readCsv, writeCsv } from "./csv.js";
import { readJsonLines, writeJsonLines } from "./jsonLines.js";
import { decodeUtf8, peekLine } from "./text.js";

export const FORMATS = { csv: writeCsv, jsonl: writeJsonLines } as const satisfies Record<
  string,
  (links: LinkExport) => AsyncGenerator<string>
>;
export type Format = keyof typeof FORMATS;

/**
 * Reads links from CSV or JSON lines, whichever it is: only the latter begin with a brace. An empty file has no links.
 * @throws SourceError
 */
export async function* readFileOfLinks(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<SourceRow> {
  const { line, whole } = await peekLine(decodeUtf8(chunks));
  if (line !== "") yield* line.startsWith("{") ? readJsonLines(whole) : readCsv(whole, delimiterOf(line));
}

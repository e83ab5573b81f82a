import type { ExportedLink, LinkExport } from "../domain/moving/exportLinks.js";
import type { SourceRow } from "../domain/moving/importLinks.js";
import { COLUMNS } from "../domain/moving/linkRecord.js";
import { linesOf } from "./text.js";

const KNOWN: readonly string[] = [...COLUMNS, "tags"];

function readLine(line: string): SourceRow["record"] {
  let record: unknown;
  try {
    record = JSON.parse(line);
  } catch {
    return { unreadable: "This is not JSON." };
  }
  if (typeof record !== "object" || record === null || Array.isArray(record)) {
    return { unreadable: "This is not a JSON object." };
  }
  const unknown = Object.keys(record).filter((name) => !KNOWN.includes(name));
  return unknown.length > 0
    ? { unreadable: `${JSON.stringify(unknown[0])} is not known; known are ${KNOWN.join(", ")}.` }
    : record;
}

/** Reads one link a line. */
export async function* readJsonLines(texts: AsyncIterable<string>): AsyncGenerator<SourceRow> {
  for await (const [number, line] of linesOf(texts)) {
    if (line.trim() !== "") yield { place: `line ${number}`, record: readLine(line) };
  }
}

/** Writes one link a line. */
export async function* writeJsonLines({ links }: LinkExport): AsyncGenerator<string> {
  for await (const link of links) yield `${JSON.stringify(link satisfies ExportedLink)}\n`;
}

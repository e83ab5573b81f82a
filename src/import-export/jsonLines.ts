import type { ExportedLink, LinkExport } from "../domain/transfer/exportLinks.js";
import type { SourceRow } from "../domain/transfer/importLinks.js";
import { COLUMNS } from "../domain/transfer/linkRecord.js";
import { type ColumnMap, mappedField, tagTypeOf } from "./columnMap.js";
import { SourceError } from "./sourceError.js";
import { linesOf, MAX_LINE_LENGTH, TOO_LONG } from "./text.js";

const PROPERTIES: readonly string[] = [...COLUMNS, "tags"];
/** An export has the numbers of a link in this property if they are asked for. An import ignores them. */
const IGNORED = "stats";

/** @throws SourceError for a mapping that applies to CSV only */
export function checkMap(map: ColumnMap): void {
  if ([...map.values()].some(({ field }) => tagTypeOf(field) !== null)) {
    throw new SourceError("In JSON all tags are in one list. Use --map tags=PROPERTY.");
  }
}

/** Parses the JSON of a link. Any depth is safe, because V8 parses JSON without recursion. */
export function readJsonRecord(json: string, map: ColumnMap): SourceRow["record"] {
  if (json.length > MAX_LINE_LENGTH) return TOO_LONG;
  let record: unknown;
  try {
    record = JSON.parse(json);
  } catch {
    return { unreadable: "This is not JSON." };
  }
  if (typeof record !== "object" || record === null || Array.isArray(record)) {
    return { unreadable: "This is not a JSON object." };
  }
  const entries = Object.entries(record)
    .map(([name, value]) => [mappedField(map, name) ?? name, value] as const)
    .filter(([name]) => name !== IGNORED);
  const names = entries.map(([name]) => name);
  const unknown = names.find((name) => !PROPERTIES.includes(name));
  if (unknown !== undefined) {
    return {
      unreadable: `There is no field for the property ${JSON.stringify(unknown.slice(0, 100))}. The properties are ${PROPERTIES.join(", ")}. Use --map FIELD=PROPERTY to name its field.`,
    };
  }
  if (new Set(names).size < names.length)
    return { unreadable: "Because of --map, two properties contain the same field." };
  return Object.fromEntries(entries);
}

/** Reads one link from each line. @throws SourceError */
export async function* readJsonLines(
  texts: AsyncIterable<string>,
  map: ColumnMap,
): AsyncGenerator<SourceRow> {
  checkMap(map);
  for await (const [number, line] of linesOf(texts)) {
    if (line.trim() !== "") yield { place: `line ${number}`, record: readJsonRecord(line, map) };
  }
}

/** Writes one link into each line. */
export async function* writeJsonLines({ links }: LinkExport): AsyncGenerator<string> {
  for await (const link of links) yield `${JSON.stringify(link satisfies ExportedLink)}\n`;
}

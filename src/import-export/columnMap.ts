import { COLUMNS } from "../domain/transfer/linkRecord.js";
import { SourceError } from "./sourceError.js";

/** Columns of a CSV file, and properties of JSON, that are called otherwise than what they hold, by folded name. */
export type ColumnMap = ReadonlyMap<string, Mapping>;

interface Mapping {
  /** A name of COLUMNS, "tags", or "tag:" and a type of tags. */
  readonly field: string;
  /** The file's name for it. */
  readonly column: string;
}

const TAG_COLUMN = /^tag:\s*/i;

/** The type of tags that a column "tag:TYPE" holds; null for another column. */
export const tagTypeOf = (field: string): string | null =>
  TAG_COLUMN.test(field) ? field.replace(TAG_COLUMN, "").trim() : null;

const fold = (column: string): string => column.trim().normalize("NFC").toLowerCase();

/** What a column is called here, where a mapping names it. */
export const mappedField = (map: ColumnMap, column: string): string | undefined =>
  map.get(fold(column))?.field;

function readField(text: string): string {
  const tagType = tagTypeOf(text.trim());
  if (tagType !== null) return `tag:${tagType}`;
  const field = text.trim().toLowerCase();
  if (field === "tags" || COLUMNS.some((column) => column === field)) return field;
  throw new SourceError(
    `--map takes FIELD=COLUMN, and ${JSON.stringify(text)} is no field; fields are ${COLUMNS.join(", ")}, and tag:TYPE for the tags of a type`,
  );
}

/**
 * Reads mappings as FIELD=COLUMN, such as "budget=Бюджет" or "tag:Platform=Площадка".
 * @throws SourceError
 */
export function readColumnMap(texts: readonly string[]): ColumnMap {
  const map = new Map<string, Mapping>();
  for (const text of texts) {
    const at = text.indexOf("=");
    const column = text.slice(at + 1).trim();
    if (at < 0 || column === "") {
      throw new SourceError(
        `--map takes FIELD=COLUMN, such as budget=Cost, and found ${JSON.stringify(text)}`,
      );
    }
    const field = readField(text.slice(0, at));
    if (map.has(fold(column)) || [...map.values()].some((other) => fold(other.field) === fold(field))) {
      throw new SourceError(`--map names ${JSON.stringify(text)} beside another mapping of the same`);
    }
    map.set(fold(column), { field, column });
  }
  return map;
}

import { COLUMNS } from "../domain/transfer/linkRecord.js";
import { SourceError } from "./sourceError.js";

/** The fields of columns (in JSON: properties) whose names differ from the field, by the folded name of the column. */
export type ColumnMap = ReadonlyMap<string, Mapping>;

interface Mapping {
  /** A name of COLUMNS, "tags", or "tag:" and the name of a tag type. */
  readonly field: string;
  /** The name of the column in the file. */
  readonly column: string;
}

const TAG_COLUMN = /^tag:\s*/i;

/** The tag type of a column "tag:TYPE"; null for any other column. */
export const tagTypeOf = (field: string): string | null =>
  TAG_COLUMN.test(field) ? field.replace(TAG_COLUMN, "").trim() : null;

const fold = (column: string): string => column.trim().normalize("NFC").toLowerCase();

/** The field to which a column is mapped; undefined if no mapping names the column. */
export const mappedField = (map: ColumnMap, column: string): string | undefined =>
  map.get(fold(column))?.field;

function readField(text: string): string {
  const tagType = tagTypeOf(text.trim());
  if (tagType !== null) return `tag:${tagType}`;
  const field = text.trim().toLowerCase();
  if (field === "tags" || COLUMNS.some((column) => column === field)) return field;
  throw new SourceError(
    `--map takes FIELD=COLUMN, and ${JSON.stringify(text)} is not a field. The fields are ${COLUMNS.join(", ")}, and tag:TYPE for the tags of a type.`,
  );
}

/**
 * Parses mappings of the form FIELD=COLUMN, such as "budget=Бюджет" or "tag:Platform=Площадка".
 * @throws SourceError for an unknown field, and for a field or a column with two mappings
 */
export function readColumnMap(texts: readonly string[]): ColumnMap {
  const map = new Map<string, Mapping>();
  for (const text of texts) {
    const at = text.indexOf("=");
    const column = text.slice(at + 1).trim();
    if (at < 0 || column === "") {
      throw new SourceError(
        `--map takes FIELD=COLUMN, such as budget=Cost, but got ${JSON.stringify(text)}.`,
      );
    }
    const field = readField(text.slice(0, at));
    if (map.has(fold(column)) || [...map.values()].some((other) => fold(other.field) === fold(field))) {
      throw new SourceError(`--map ${JSON.stringify(text)}: another --map uses the same field or column.`);
    }
    map.set(fold(column), { field, column });
  }
  return map;
}

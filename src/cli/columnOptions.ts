import { Option } from "commander";
import type { ColumnMap } from "../import-export/columnMap.js";
import { SourceError } from "../import-export/sourceError.js";
import { UsageError } from "./errors.js";

/** The option that names columns which are called otherwise than their fields. */
export const mapOption = (): Option =>
  new Option(
    "--map <field=column>",
    "read a field from a column (in JSON: a property) with another name; repeatable",
  )
    .argParser((text: string, mappings: readonly string[]) => [...mappings, text])
    .default([], "none");

/** @throws UsageError */
export async function columnMapOf(mappings: readonly string[]): Promise<ColumnMap> {
  const { readColumnMap } = await import("../import-export/columnMap.js");
  try {
    return readColumnMap(mappings);
  } catch (error) {
    throw error instanceof SourceError ? new UsageError(error.message) : error;
  }
}

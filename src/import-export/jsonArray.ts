import type { SourceRow } from "../domain/transfer/importLinks.js";
import type { ColumnMap } from "./columnMap.js";
import { checkMap, readJsonRecord } from "./jsonLines.js";
import { SourceError } from "./sourceError.js";
import { cutTooLong } from "./text.js";

/**
 * The items of a JSON array, as texts that are not parsed yet. A streaming parser would end at the first item that is
 * no JSON, and bounds neither an item's length nor its depth; brackets and strings suffice to tell items apart.
 * @throws SourceError for a text that is no array, or breaks off
 */
async function* itemsOf(texts: AsyncIterable<string>): AsyncGenerator<string> {
  let count = 1;
  let item = "";
  /** 0 before and behind the array, 1 between its items. */
  let depth = 0;
  let isString = false;
  let isEscaped = false;
  let isOver = false;
  for await (const text of texts) {
    let from = 0;
    for (let at = 0; at < text.length; at++) {
      const char = text.charAt(at);
      if (isString) {
        if (char === '"' && !isEscaped) isString = false;
        isEscaped = char === "\\" && !isEscaped;
      } else if (isOver) {
        if (char.trim() !== "")
          throw new SourceError(`There is something behind the JSON array of ${count} items.`);
      } else if (char === '"') isString = true;
      else if (char === "[" || char === "{") {
        depth += 1;
        if (depth === 1) from = at + 1;
      } else if (depth > 1) {
        if (char === "]" || char === "}") depth -= 1;
      } else if (char === "," || char === "]") {
        isOver = char === "]";
        yield item + text.slice(from, at);
        item = "";
        from = at + 1;
        if (!isOver) count += 1;
      }
    }
    if (depth > 0 && !isOver) item = cutTooLong(item + text.slice(from));
  }
  if (!isOver) throw new SourceError(`The JSON array is not closed: the file ends within item ${count}.`);
}

/** Reads one link an item. @throws SourceError */
export async function* readJsonArray(
  texts: AsyncIterable<string>,
  map: ColumnMap,
): AsyncGenerator<SourceRow> {
  checkMap(map);
  let number = 0;
  let empty: SourceRow | undefined;
  for await (const item of itemsOf(texts)) {
    if (empty) yield empty;
    number += 1;
    const row = { place: `item ${number}`, record: readJsonRecord(item, map) };
    // An array without items has nothing between its brackets.
    empty = number === 1 && item.trim() === "" ? row : undefined;
    if (!empty) yield row;
  }
}

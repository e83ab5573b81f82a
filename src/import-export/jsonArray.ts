import type { SourceRow } from "../domain/transfer/importLinks.js";
import type { ColumnMap } from "./columnMap.js";
import { checkMap, readJsonRecord } from "./jsonLines.js";
import { SourceError } from "./sourceError.js";
import { cutTooLong, turns } from "./text.js";

/**
 * Splits a JSON array into the texts of its items, by counting brackets outside of strings. A streaming JSON parser would
 * stop at the first bad item and would not limit an item's length.
 * @throws SourceError if the array is not closed, or if something follows it
 */
async function* itemsOf(texts: AsyncIterable<string>): AsyncGenerator<string> {
  let count = 1;
  let item = "";
  /** 0 outside of the array, 1 directly in the array, more in an item. */
  let depth = 0;
  let isString = false;
  let isEscaped = false;
  let isClosed = false;
  for await (const text of texts) {
    let from = 0;
    for (let at = 0; at < text.length; at++) {
      const char = text.charAt(at);
      if (isString) {
        if (char === '"' && !isEscaped) isString = false;
        isEscaped = char === "\\" && !isEscaped;
      } else if (isClosed) {
        if (char.trim() !== "")
          throw new SourceError(`There is text after the JSON array of ${count} items.`);
      } else if (char === '"') isString = true;
      else if (char === "[" || char === "{") {
        depth += 1;
        if (depth === 1) from = at + 1;
      } else if (depth > 1) {
        if (char === "]" || char === "}") depth -= 1;
      } else if (char === "," || char === "]") {
        isClosed = char === "]";
        yield item + text.slice(from, at);
        item = "";
        from = at + 1;
        if (!isClosed) count += 1;
      }
    }
    if (depth > 0 && !isClosed) item = cutTooLong(item + text.slice(from));
  }
  if (!isClosed) throw new SourceError(`The JSON array is not closed. The file ends in item ${count}.`);
}

/** Reads one link from each item. @throws SourceError */
export async function* readJsonArray(
  texts: AsyncIterable<string>,
  map: ColumnMap,
): AsyncGenerator<SourceRow> {
  checkMap(map);
  const turn = turns();
  let number = 0;
  let empty: SourceRow | undefined;
  for await (const item of itemsOf(texts)) {
    await turn();
    if (empty) yield empty;
    number += 1;
    const row = { place: `item ${number}`, record: readJsonRecord(item, map) };
    // In an empty array, the text between the brackets looks like one empty item. It is dropped if no other item follows.
    empty = number === 1 && item.trim() === "" ? row : undefined;
    if (!empty) yield row;
  }
}

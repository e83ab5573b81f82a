import { Problems } from "../shared/errors.js";
import { isStorable } from "../shared/text.js";
import type { KeyValue, Ordering, OrderKey } from "./ordering.js";

/** The version of the cursors' format. A cursor of another version is refused. */
const VERSION = 1;
/** In characters. The longest key is a tag's folded name: 64 characters of at most 33 bytes each. */
const MAX_LENGTH = 4_000;

/** Whether a text is an instant as Date writes it. Date.parse reads 30 February as 2 March and 24:00 as the next day. */
function isInstant(text: string): boolean {
  if (!/^(?!0000)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(text)) return false;
  const instant = new Date(text);
  return !Number.isNaN(instant.getTime()) && instant.toISOString() === text;
}

const ACCEPTABLE: Record<OrderKey<never>["type"], (text: string) => boolean> = {
  uuid: (text) => /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/.test(text),
  timestamptz: isInstant,
  numeric: (text) => /^-?\d{1,15}(\.\d{1,2})?$/.test(text),
  text: isStorable,
  bigint: (text) => /^-?\d{1,15}$/.test(text),
};

const signature = <Row>(ordering: Ordering<Row>): string =>
  ordering.map(({ key, direction }) => `${key.name} ${direction}`).join(",");

/** Gives a function that encodes the cursor of a row in an order. */
export function cursorsOf<Row>(ordering: Ordering<Row>): (row: Row) => string {
  const order = signature(ordering);
  return (row) =>
    Buffer.from(JSON.stringify([VERSION, order, ...ordering.map(({ key }) => key.valueOf(row))])).toString(
      "base64url",
    );
}

function parse(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
  } catch {
    return null;
  }
}

/**
 * The values of a cursor, one for each key of the order.
 * @throws ValidationError with `field` as the path if the text is no cursor of this order.
 */
export function decodeCursor<Row>(ordering: Ordering<Row>, cursor: string, field: string): KeyValue[] {
  const problems = new Problems();
  const content = cursor.length <= MAX_LENGTH ? parse(cursor) : null;
  const [version, order, ...values] = Array.isArray(content) ? (content as unknown[]) : [];
  if (version !== VERSION || typeof order !== "string") {
    problems.add(field, "This is no cursor that this server gave out.");
  } else if (order !== signature(ordering)) {
    problems.add(field, "This cursor belongs to another order.");
  } else {
    const fits =
      values.length === ordering.length &&
      ordering.every(({ key }, index) => {
        const value = values[index];
        return value === null
          ? key.nullable === true
          : typeof value === "string" && ACCEPTABLE[key.type](value);
      });
    if (!fits) problems.add(field, "This is no cursor that this server gave out.");
  }
  problems.check();
  return values as KeyValue[];
}

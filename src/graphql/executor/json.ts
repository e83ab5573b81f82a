/**
 * JSON in UTF-8 whose bytes are the string's characters (Latin-1). V8 stores such a string in one byte for each character.
 * A single wider character would make V8 copy the whole response into two bytes each before it is encoded.
 */
export type Json = string;

/** Characters that JSON escapes, or that take more than one byte in UTF-8. */
const SPECIAL = /[^ !#-[\]-~]/;

/** Writes what JSON.stringify writes; undefined becomes null. */
export function jsonOf(value: unknown): Json {
  if (typeof value === "string" && !SPECIAL.test(value)) return `"${value}"`;
  const text = JSON.stringify(value) ?? "null";
  return typeof value === "number" || typeof value === "boolean"
    ? text
    : Buffer.from(text).toString("latin1");
}

export const bytesOf = (json: Json): Buffer => Buffer.from(json, "latin1");

export const parseJson = (json: Json): unknown => JSON.parse(bytesOf(json).toString());

/** Whether a value that was read from JSON is an object, and no list. */
export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * JSON in UTF-8, each byte a character of its own. An answer is written as a text at once, rather than as objects that
 * are written then; were there wider characters in it, all of it would be copied as such, and then again as bytes.
 */
export type Json = string;

/** What does not stand for itself in JSON, or takes more than a byte. */
const SPECIAL = /[^ !#-[\]-~]/;

export function jsonOf(value: unknown): Json {
  if (typeof value === "string" && !SPECIAL.test(value)) return `"${value}"`;
  const text = JSON.stringify(value) ?? "null";
  return typeof value === "number" || typeof value === "boolean"
    ? text
    : Buffer.from(text).toString("latin1");
}

export const bytesOf = (json: Json): Buffer => Buffer.from(json, "latin1");

export const parseJson = (json: Json): unknown => JSON.parse(bytesOf(json).toString());

import { z } from "zod";
import { parseAmount } from "../../parsers/amount.js";
import { parseRfc3339Instant } from "../../parsers/instant.js";
import { parseTelegramId } from "../../parsers/telegramId.js";
import { UnreadableValueError } from "../../parsers/unreadable.js";

// The parsers of values in requests. All values of a query string are texts, so an integer may also be given as a decimal
// string, in bodies too. No other value is converted.

/** The greatest integer without a limit of its own: PostgreSQL and every client can hold 32 bits. */
const MAX_INTEGER = 2 ** 31 - 1;

/** An integer as people write it, including 10.0 and +10. */
const INTEGRAL = /^\s*([+-]?)0*(\d{1,20})(?:\.0*)?\s*$/;

function digitsOf(input: unknown): unknown {
  const match = typeof input === "string" ? INTEGRAL.exec(input) : null;
  return match ? `${match[1] === "-" ? "-" : ""}${match[2]}` : input;
}

function readInteger(input: unknown): number {
  const value = typeof input === "string" && /^-?\d+$/.test(input) ? Number(input) : input;
  if (typeof value !== "number" || !Number.isInteger(value))
    throw new UnreadableValueError("must be an integer.");
  if (Math.abs(value) > MAX_INTEGER) throw new UnreadableValueError("must have at most 32 bits.");
  return value === 0 ? 0 : value;
}

/** A value that is parsed by `read` and described in /openapi.json by `shape`. */
const parsed = <Value>(read: (input: unknown) => Value, shape: Record<string, unknown>) =>
  z
    .unknown()
    .transform((input, context): Value => {
      try {
        if (input !== undefined) return read(input);
        context.addIssue({ code: "custom", message: "Field required", input });
      } catch (error) {
        if (!(error instanceof UnreadableValueError)) throw error;
        context.addIssue({ code: "custom", message: error.sentence, input });
      }
      return z.NEVER;
    })
    .meta(shape);

const INTEGER = { type: "integer", format: "int32", minimum: -MAX_INTEGER, maximum: MAX_INTEGER };

export const integer = (shape: Record<string, unknown> = {}) =>
  parsed((input) => readInteger(digitsOf(input)), { ...INTEGER, ...shape });

export const telegramId = (description: string) =>
  parsed((input) => parseTelegramId(digitsOf(input)), { type: "integer", format: "int64", description });

export const amount = (description: string) =>
  parsed(
    (input) => {
      if (typeof input !== "number") throw new UnreadableValueError("must be a number.");
      return parseAmount(input);
    },
    { type: "number", minimum: 0, description },
  );

export const instant = (description: string) =>
  parsed(parseRfc3339Instant, { type: "string", format: "date-time", description });

/** A switch in a query string; false if it is left out. */
export const flag = (description: string) =>
  z
    .enum(["true", "false"])
    .default("false")
    .meta({ description })
    .transform((value) => value === "true");

/** The id of an object. The domain checks its form and its type. */
export const id = (description: string) =>
  z.string().meta({ description: `${description}: its UUID, or its global id from GraphQL.` });

/** The number and the size of a page. A negative size asks for all rows in one answer. */
export const paging = {
  page: integer({ minimum: 1, description: "The number of the page, from 1." })
    .refine((page) => page >= 1, "Must be at least 1.")
    .prefault(1),
  limit: integer({
    not: { const: 0 },
    description: "The size of a page. A negative number asks for all items in one answer, which is streamed.",
  })
    .refine((limit) => limit !== 0, "Must not be 0. A negative number asks for all items.")
    .prefault(10),
};

/** The values of ordered_fields and the orders that they stand for. */
const ORDERS = {
  name: { field: "NAME", direction: "ASC" },
  "-name": { field: "NAME", direction: "DESC" },
  created_at: { field: "CREATED_AT", direction: "ASC" },
  "-created_at": { field: "CREATED_AT", direction: "DESC" },
} as const;

type OrderedField = keyof typeof ORDERS;

/** The sort fields of a list. The query parser gives a single value as a text instead of a list. */
export const orderedFields = (defaultField: OrderedField) =>
  z
    .preprocess(
      (value) => (typeof value === "string" ? [value] : value),
      z.array(z.enum(Object.keys(ORDERS) as [OrderedField, ...OrderedField[]])),
    )
    .meta({
      description:
        "The sort field; a minus in front means descending order. Repeat the parameter to sort by further fields.",
    })
    .prefault([defaultField]);

export const ordersOf = (fields: readonly OrderedField[]) => fields.map((field) => ORDERS[field]);

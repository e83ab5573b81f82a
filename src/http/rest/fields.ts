import { z } from "zod";
import { parseAmount } from "../../parsers/amount.js";
import { parseRfc3339Instant } from "../../parsers/instant.js";
import { parseTelegramId } from "../../parsers/telegramId.js";
import { UnreadableValueError } from "../../parsers/unreadable.js";

// The values in requests. A query has texts alone, so that an integer is taken as its decimal string as well, in
// bodies too; nothing else is taken for what it is not.

/** Of integers that no domain bounds otherwise: what a database and every client can hold. */
const MAX_INTEGER = 2 ** 31 - 1;

/** As a person writes an integer, 10.0 and +10 too; the digits are what matters. */
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

/** A value that `read` makes of what is given; `shape` is how the document describes it. */
const given = <Value>(read: (input: unknown) => Value, shape: Record<string, unknown>) =>
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
  given((input) => readInteger(digitsOf(input)), { ...INTEGER, ...shape });

export const telegramId = (description: string) =>
  given((input) => parseTelegramId(digitsOf(input)), { type: "integer", format: "int64", description });

export const amount = (description: string) =>
  given(
    (input) => {
      if (typeof input !== "number") throw new UnreadableValueError("must be a number.");
      return parseAmount(input);
    },
    { type: "number", minimum: 0, description },
  );

export const instant = (description: string) =>
  given(parseRfc3339Instant, { type: "string", format: "date-time", description });

/** Whether it is one, and of the right kind of thing, the domain says. */
export const id = (description: string) =>
  z.string().meta({ description: `${description}: the UUID, or the global id that GraphQL gives.` });

/** A page by number; a limit below 0 asks for everything. */
export const paging = {
  page: integer({ minimum: 1, description: "The page's number, from 1." })
    .refine((page) => page >= 1, "Must be at least 1.")
    .prefault(1),
  limit: integer({
    not: { const: 0 },
    description: "How many on a page; below 0 all there are, in one answer, written out as it is read.",
  })
    .refine((limit) => limit !== 0, "Must not be 0; below 0 it asks for everything.")
    .prefault(10),
};

/** The words of ordered_fields, in the domain's. */
const ORDERS = {
  name: { field: "NAME", direction: "ASC" },
  "-name": { field: "NAME", direction: "DESC" },
  created_at: { field: "CREATED_AT", direction: "ASC" },
  "-created_at": { field: "CREATED_AT", direction: "DESC" },
} as const;

type OrderedField = keyof typeof ORDERS;

/** By what a list is ordered, the first before the second. A query that names it once has no list of it. */
export const orderedFields = (usual: OrderedField) =>
  z
    .preprocess(
      (named) => (typeof named === "string" ? [named] : named),
      z.array(z.enum(Object.keys(ORDERS) as [OrderedField, ...OrderedField[]])),
    )
    .meta({ description: "By what, the first before the second: repeat it. A minus turns the order around." })
    .prefault([usual]);

export const ordersOf = (fields: readonly OrderedField[]) => fields.map((field) => ORDERS[field]);

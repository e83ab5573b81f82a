import { GraphQLError, type GraphQLScalarLiteralParser, Kind, type ValueNode } from "graphql";
import { parseAmount, parseWrittenAmount } from "../../parsers/amount.js";
import { parseRfc3339Instant } from "../../parsers/instant.js";
import { parseInviteLinkUrl } from "../../parsers/inviteLinkUrl.js";
import { parseTelegramId as readTelegramId } from "../../parsers/telegramId.js";
import { UnreadableValueError } from "../../parsers/unreadable.js";

// Each parse function takes a value from JSON or the text of a literal, and throws a GraphQLError for a value that does not
// fit the scalar. The digits of a literal are read as text, never through a rounded number.

const refuse = (message: string): never => {
  throw new GraphQLError(message, { extensions: { code: "BAD_USER_INPUT" } });
};

/** Adds the literal's position in the document to an error. */
const located =
  <Value>(parse: (node: ValueNode) => Value): GraphQLScalarLiteralParser<Value> =>
  (node) => {
    try {
      return parse(node);
    } catch (error) {
      if (!(error instanceof GraphQLError)) throw error;
      throw new GraphQLError(error.message, { nodes: node, extensions: error.extensions });
    }
  };

/** The text of a string or number literal. */
function literalText(node: ValueNode, name: string): string | { number: string } {
  if (node.kind === Kind.STRING) return node.value;
  if (node.kind === Kind.INT || node.kind === Kind.FLOAT) return { number: node.value };
  return refuse(`${name} cannot be written as this kind of value.`);
}

/** Reads a value of a scalar. The error names the scalar. */
function readAs<Value>(name: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (error instanceof UnreadableValueError) return refuse(`${name} ${error.message}`);
    throw error;
  }
}

export const parseTelegramId = (input: unknown): number => readAs("TelegramID", () => readTelegramId(input));

export const parseTelegramIdLiteral = located((node) => {
  const text = literalText(node, "TelegramID");
  return parseTelegramId(typeof text === "string" ? text : text.number);
});

export const parseDecimalValue = (input: unknown): string => readAs("Decimal", () => parseAmount(input));

export const parseDecimalLiteral = located((node) => {
  const text = literalText(node, "Decimal");
  return readAs("Decimal", () =>
    typeof text === "string" ? parseAmount(text) : parseWrittenAmount(text.number),
  );
});

export const parseDateTime = (input: unknown): Date => readAs("DateTime", () => parseRfc3339Instant(input));

export const parseDateTimeLiteral = located((node) =>
  parseDateTime(node.kind === Kind.STRING ? node.value : undefined),
);

/** An invite link's address may have any of its spellings, also without a scheme. */
export function parseUrl(input: unknown): string {
  const inviteLink = typeof input === "string" ? parseInviteLinkUrl(input) : null;
  if (inviteLink !== null) return inviteLink;
  if (typeof input !== "string" || !URL.canParse(input)) return refuse("URL must be an absolute address.");
  return input;
}

export const parseUrlLiteral = located((node) =>
  parseUrl(node.kind === Kind.STRING ? node.value : undefined),
);

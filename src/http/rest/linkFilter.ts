import { z } from "zod";
import type { InviteLinkFilter } from "../../domain/links/query/filter.js";
import { parseRfc3339Instant } from "../../parsers/instant.js";
import { parseTelegramId } from "../../parsers/telegramId.js";
import { UnreadableValueError } from "../../parsers/unreadable.js";

const read = <Value>(parse: (input: unknown) => Value) =>
  z.unknown().transform((input, context): Value => {
    try {
      return parse(input);
    } catch (error) {
      if (!(error instanceof UnreadableValueError)) throw error;
      context.addIssue({ code: "custom", message: error.sentence, input });
      return z.NEVER;
    }
  });
const orNull = <Value>(parse: (input: unknown) => Value) =>
  read((input) => (input == null ? null : parse(input))).optional();

const instant = orNull(parseRfc3339Instant);

/** InviteLinkFilter, as GraphQL has it. */
const Filter = z.strictObject({
  name: z.string().nullish(),
  creatorId: orNull(parseTelegramId),
  tagGroups: z
    .array(
      z.strictObject({
        tagTypeId: z.string(),
        withoutType: z.boolean().default(false),
        tagIds: z.array(z.string()).default([]),
      }),
    )
    .nullish(),
  ids: z.array(z.string()).nullish(),
  isRevoked: z.boolean().nullish(),
  isExpired: z.boolean().nullish(),
  isBotCreated: z.boolean().nullish(),
  createdFrom: instant,
  createdTo: instant,
  externalIds: z.array(z.string()).nullish(),
  search: z.string().nullish(),
  minJoinCount: z.int32().nullish(),
  hasPendingJoinRequests: z.boolean().nullish(),
});

/** A filter in a query string: the JSON of GraphQL's InviteLinkFilter. */
export const linkFilter = z
  .string()
  .optional()
  .meta({ description: "The JSON of an InviteLinkFilter, as GraphQL has it." })
  .transform((text, context): InviteLinkFilter | null => {
    if (text === undefined) return null;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      context.addIssue({ code: "custom", message: "Must be JSON.", input: text });
      return z.NEVER;
    }
    const { success, data, error } = Filter.safeParse(value);
    if (success) return data;
    for (const { path, message } of error.issues)
      context.addIssue({ code: "custom", path, message, input: text });
    return z.NEVER;
  });

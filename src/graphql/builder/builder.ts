import SchemaBuilder from "@pothos/core";
import ComplexityPlugin from "@pothos/plugin-complexity";
import ErrorsPlugin from "@pothos/plugin-errors";
import PrismaPlugin from "@pothos/plugin-prisma";
import RelayPlugin from "@pothos/plugin-relay";
import type PrismaTypes from "../../database/generated/pothos.js";
import { getDatamodel } from "../../database/generated/pothos.js";
import type { Instant } from "../../database/instant.js";
import { ValidationError } from "../../domain/shared/errors.js";
import { globalId, type IdKind } from "../../domain/shared/ids.js";
import type { GraphQLContext } from "./context.js";
import { checkNodeIds, decodeNodeId } from "./ids.js";
import {
  parseDateTime,
  parseDateTimeLiteral,
  parseDecimalLiteral,
  parseDecimalValue,
  parseTelegramId,
  parseTelegramIdLiteral,
  parseUrl,
  parseUrlLiteral,
} from "./scalars.js";

export interface SchemaTypes {
  Context: GraphQLContext;
  Connection: { readonly totalCount: () => Promise<number> };
  PrismaTypes: PrismaTypes;
  DefaultFieldNullability: false;
  DefaultEdgesNullability: { list: false; items: false };
  DefaultNodeNullability: false;
  Scalars: {
    DateTime: { Input: Date; Output: Date | Instant };
    TelegramID: { Input: number; Output: number };
    Decimal: { Input: string; Output: string };
    URL: { Input: string; Output: string };
    ID: { Input: string; Output: string };
  };
}

/** How many things are looked up at once. */
const MAX_NODES = 1_000;
/** What a list costs whose length nothing in the query says: tags of a link, types. */
const LIST_MULTIPLIER = 5;

/**
 * The builder with the scalars and the plugins' settings. The types of administration are read by Prisma's plugin;
 * what hangs on a link is plain objects over rows and loaders.
 */
export const builder = new SchemaBuilder<SchemaTypes>({
  plugins: [ErrorsPlugin, RelayPlugin, PrismaPlugin, ComplexityPlugin],
  defaultFieldNullability: false,
  // Disabled: it would count again at every field of the roots. limits.ts counts, before anything is executed.
  complexity: { disabled: true, defaultComplexity: 1, defaultListMultiplier: LIST_MULTIPLIER },
  errors: { defaultTypes: [], directResult: true },
  prisma: { client: (context) => context.prisma, dmmf: getDatamodel(), filterConnectionTotalCount: true },
  relay: {
    nodesOnConnection: {
      complexity: { field: 1, multiplier: 1 },
      description: "The page's things alone.",
    },
    idFieldOptions: { description: "Global id, unique in the whole graph." },
    // The page's size is counted once, at the connection.
    edgesFieldOptions: {
      nullable: { list: false, items: false },
      complexity: { field: 1, multiplier: 1 },
      description: "The page's things, each with its place.",
    },
    pageInfoFieldOptions: { description: "Where the page stands in the list." },
    cursorFieldOptions: { description: "Its place in the list: to be given to `after` or `before`." },
    hasNextPageFieldOptions: { description: "Whether anything follows the page." },
    hasPreviousPageFieldOptions: { description: "Whether anything precedes the page." },
    startCursorFieldOptions: { description: "The place of the page's first; null for an empty page." },
    endCursorFieldOptions: { description: "The place of the page's last; null for an empty page." },
    firstArgOptions: { description: "How many, from the beginning or after `after`." },
    afterArgOptions: { description: "A cursor: what follows it." },
    lastArgOptions: { description: "How many, up to the end or to `before`." },
    beforeArgOptions: { description: "A cursor: what precedes it." },
    nodeFieldOptions: { nullable: false, description: "The thing itself." },
    encodeGlobalID: (kind, id) => globalId(kind as IdKind, String(id)),
    decodeGlobalID: decodeNodeId,
    nodeTypeOptions: { description: "What has an id of its own, by which it can be asked for again." },
    nodeQueryOptions: {
      nullable: true,
      args: { id: { description: "A global id; a bare UUID does not say of what." } },
      resolve: (_root, { id }, _context, _info, resolveNode) => {
        checkNodeIds([["id", id]]);
        return resolveNode(id);
      },
      description: "By global id alone. Null for what does not exist and for what the token may not see.",
    },
    nodesQueryOptions: {
      args: { ids: { description: `Global ids, at most ${MAX_NODES}.` } },
      resolve: (_root, { ids }, _context, _info, resolveNodes) => {
        if (ids.length > MAX_NODES) {
          throw new ValidationError([{ field: "ids", message: `Must be at most ${MAX_NODES}.` }]);
        }
        checkNodeIds(ids.map((id, index) => [`ids.${index}`, id]));
        return resolveNodes(ids);
      },
      nullable: { list: false, items: true },
      complexity: ({ ids }: { ids: unknown[] }) => ({ field: 1, multiplier: Math.max(1, ids.length) }),
      description: "As `node`, for many at once: each in the place of its id.",
    },
    pageInfoTypeOptions: { description: "Where a page stands in its list; exact in every mode of paging." },
  },
});

builder.queryType({});
builder.mutationType({
  description:
    "Every result is a union of what was done and the errors that can come of it: ask for `... on UserError { code message }`.",
});

builder.scalarType("DateTime", {
  description:
    "An RFC 3339 instant, always sent in UTC with milliseconds (2026-11-21T18:58:00.000Z); an offset is accepted on input.",
  specifiedByURL: "https://datatracker.ietf.org/doc/html/rfc3339",
  serialize: (value) => (typeof value === "string" ? value : (value as Date).toISOString()),
  parseValue: parseDateTime,
  parseLiteral: parseDateTimeLiteral,
});
builder.scalarType("TelegramID", {
  description:
    "A Telegram chat or user id: at most 52 significant bits, so exact as a JSON number, and sent as one. Input takes an integer or its decimal string.",
  serialize: (value) => value as number,
  parseValue: parseTelegramId,
  parseLiteral: parseTelegramIdLiteral,
});
builder.scalarType("Decimal", {
  description:
    "An exact decimal, sent as a string with two fraction digits (1500.50). Input takes a string or a number of at most two fraction digits and at most 999999999999.99.",
  serialize: (value) => value as string,
  parseValue: parseDecimalValue,
  parseLiteral: parseDecimalLiteral,
});
builder.scalarType("URL", {
  description: "An absolute address.",
  serialize: (value) => value as string,
  parseValue: parseUrl,
  parseLiteral: parseUrlLiteral,
});

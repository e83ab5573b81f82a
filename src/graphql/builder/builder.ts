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
import InviteLinksPlugin from "./plugin.js";
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
    JSON: { Input: object; Output: object };
    ID: { Input: string; Output: string };
  };
}

/** The largest number of ids in one `nodes` query. */
const MAX_NODES = 1_000;
/** The factor by which the cost counts a list whose length the query does not state, such as the tags of a link. */
export const LIST_MULTIPLIER = 5;

/**
 * The schema builder with its scalars and plugins. Prisma's plugin reads API tokens and uncertain creations. Links, tags and
 * channels are plain objects over rows and DataLoaders, because mixing both in one type costs a statement for each row.
 */
export const builder = new SchemaBuilder<SchemaTypes>({
  // The first plugin is the outermost: ours sees the result of a mutation after the errors plugin has handled it.
  plugins: [InviteLinksPlugin, ErrorsPlugin, RelayPlugin, PrismaPlugin, ComplexityPlugin],
  defaultFieldNullability: false,
  // Disabled, because the plugin would count again at every root field. limits.ts counts before execution.
  complexity: { disabled: true, defaultComplexity: 1, defaultListMultiplier: LIST_MULTIPLIER },
  errors: { defaultTypes: [], directResult: true },
  prisma: { client: (context) => context.prisma, dmmf: getDatamodel(), filterConnectionTotalCount: true },
  relay: {
    nodesOnConnection: {
      complexity: { field: 1, multiplier: 1 },
      description: "The page's nodes without their cursors.",
    },
    idFieldOptions: { description: "Global id, unique in the whole schema." },
    // The connection has already multiplied the cost by the page's size.
    edgesFieldOptions: {
      nullable: { list: false, items: false },
      complexity: { field: 1, multiplier: 1 },
      description: "The page's nodes with their cursors.",
    },
    pageInfoFieldOptions: { description: "The page's position in the list." },
    cursorFieldOptions: {
      description: "The node's position in the list, to be passed as `after` or `before`.",
    },
    hasNextPageFieldOptions: { description: "Whether the list goes on after the page." },
    hasPreviousPageFieldOptions: { description: "Whether the list has nodes before the page." },
    startCursorFieldOptions: { description: "The cursor of the page's first node; null for an empty page." },
    endCursorFieldOptions: { description: "The cursor of the page's last node; null for an empty page." },
    firstArgOptions: {
      description: "The number of nodes from the beginning of the list, or after `after`. At most 100.",
    },
    afterArgOptions: { description: "A cursor. The page begins after this position." },
    lastArgOptions: {
      description: "The number of nodes up to the end of the list, or before `before`. At most 100.",
    },
    beforeArgOptions: { description: "A cursor. The page ends before this position." },
    nodeFieldOptions: { nullable: false, description: "The node." },
    encodeGlobalID: (kind, id) => globalId(kind as IdKind, String(id)),
    decodeGlobalID: decodeNodeId,
    nodeTypeOptions: { description: "An object that can be fetched by its global id." },
    nodeQueryOptions: {
      nullable: true,
      args: { id: { description: "A global id. A bare UUID is refused, because it does not name a type." } },
      resolve: (_root, { id }, _context, _info, resolveNode) => {
        checkNodeIds([["id", id]]);
        return resolveNode(id);
      },
      description:
        "Fetches a node by its global id. Null if the node does not exist, or if the token may not see it.",
    },
    nodesQueryOptions: {
      args: { ids: { description: `At most ${MAX_NODES} global ids.` } },
      resolve: (_root, { ids }, _context, _info, resolveNodes) => {
        if (ids.length > MAX_NODES) {
          throw new ValidationError([{ field: "ids", message: `Must be at most ${MAX_NODES}.` }]);
        }
        checkNodeIds(ids.map((id, index) => [`ids.${index}`, id]));
        return resolveNodes(ids);
      },
      nullable: { list: false, items: true },
      complexity: ({ ids }: { ids: unknown[] }) => ({ field: 1, multiplier: Math.max(1, ids.length) }),
      description:
        "Fetches many nodes by their global ids, in the order of the ids. Null for each node that `node` would not return.",
    },
    pageInfoTypeOptions: {
      description: "The position of a page in its list. Exact in every mode of paging.",
    },
  },
});

builder.queryType({});
builder.mutationType({
  description:
    "The result of each mutation is a union of its success type and the errors it can return. Select `... on UserError { code message }` for the errors.",
});

builder.scalarType("DateTime", {
  description:
    "A point in time in RFC 3339. Output is in UTC with milliseconds (2026-11-21T18:58:00.000Z). Input may have another offset.",
  specifiedByURL: "https://datatracker.ietf.org/doc/html/rfc3339",
  serialize: (value) => (typeof value === "string" ? value : (value as Date).toISOString()),
  parseValue: parseDateTime,
  parseLiteral: parseDateTimeLiteral,
});
builder.scalarType("TelegramID", {
  description:
    "The id of a Telegram chat or user. Output is a JSON number, which is exact because an id has at most 52 significant bits. Input is an integer or its decimal string.",
  serialize: (value) => value as number,
  parseValue: parseTelegramId,
  parseLiteral: parseTelegramIdLiteral,
});
builder.scalarType("Decimal", {
  description:
    "An exact decimal. Output is a string with two fraction digits (1500.50). Input is a string or a number with at most two fraction digits, up to 999999999999.99.",
  serialize: (value) => value as string,
  parseValue: parseDecimalValue,
  parseLiteral: parseDecimalLiteral,
});
builder.scalarType("JSON", {
  description: "Any JSON object. It is only sent, not accepted as input.",
  serialize: (value) => value as object,
});
builder.scalarType("URL", {
  description: "An absolute URL. An address of an invite link may also lack its scheme on input.",
  serialize: (value) => value as string,
  parseValue: parseUrl,
  parseLiteral: parseUrlLiteral,
});

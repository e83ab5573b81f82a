// Apollo Server with Prisma: one findMany with an include, as both guides show it.

import { ApolloServer } from "@apollo/server";
import { startStandaloneServer } from "@apollo/server/standalone";
import { PrismaPg } from "@prisma/adapter-pg";
import { GraphQLScalarType } from "graphql";
import { PrismaClient } from "./generated/index.js";
import { typeDefs } from "./schema.mjs";

const adapter = new PrismaPg(
  { connectionString: process.env.DATABASE_URL, max: Number(process.env.POOL) },
  { schema: "plain" },
);
const prisma = new PrismaClient({ adapter });

const WITH_TAGS = { tags: { include: { tag: { include: { type: true } } }, orderBy: { tagId: "asc" } } };
const NEWEST_FIRST = [{ createdAt: "desc" }, { id: "desc" }];

const whereOf = ({ channelId, filter }) => ({
  channelId: BigInt(channelId),
  AND: (filter?.tagGroups ?? []).map(({ tagIds }) => ({ tags: { some: { tagId: { in: tagIds } } } })),
});

async function page(args) {
  const { first, after, page: number } = args;
  const rows = await prisma.inviteLink.findMany({
    where: whereOf(args),
    orderBy: NEWEST_FIRST,
    take: first + 1,
    include: WITH_TAGS,
    ...(after == null ? {} : { cursor: { id: after.split("_")[1] }, skip: 1 }),
    ...(number == null ? {} : { skip: (number - 1) * first }),
  });
  const nodes = rows.slice(0, first);
  const end = nodes.at(-1);
  return {
    edges: nodes.map((node) => ({ node })),
    pageInfo: {
      hasNextPage: rows.length > first,
      endCursor: end === undefined ? null : `${end.createdAt.toISOString()}_${end.id}`,
    },
  };
}

/** The facet of one type, counted without the filter's group of that type. */
async function facetOf(args, type) {
  const tagGroups = (args.filter?.tagGroups ?? []).filter(({ tagTypeId }) => tagTypeId !== type.id);
  const where = whereOf({ ...args, filter: { tagGroups } });
  const [counts, withoutTypeCount] = await Promise.all([
    prisma.inviteLinkTag.groupBy({
      by: ["tagId"],
      where: { tag: { typeId: type.id }, link: where },
      _count: { _all: true },
    }),
    prisma.inviteLink.count({ where: { ...where, tags: { none: { tag: { typeId: type.id } } } } }),
  ]);
  const tags = await prisma.tag.findMany({ where: { id: { in: counts.map(({ tagId }) => tagId) } } });
  const byId = new Map(tags.map((tag) => [tag.id, tag]));
  return {
    type,
    withoutTypeCount,
    tags: counts.map(({ tagId, _count }) => ({ count: _count._all, tag: byId.get(tagId) })),
  };
}

const text = (name, parse = String) =>
  new GraphQLScalarType({
    name,
    serialize: (value) => (value instanceof Date ? value.toISOString() : String(value)),
    parseValue: parse,
  });

const resolvers = {
  TelegramID: text("TelegramID"),
  DateTime: text("DateTime"),
  Decimal: text("Decimal"),
  Query: {
    inviteLink: (_, { id, channelId }) =>
      prisma.inviteLink.findUnique({ where: { id, channelId: BigInt(channelId) }, include: WITH_TAGS }),
    inviteLinks: (_, args) => ({ args }),
  },
  InviteLink: { tags: ({ tags }) => tags.map(({ tag }) => tag) },
  InviteLinkConnection: {
    edges: async (connection) => {
      connection.page ??= page(connection.args);
      return (await connection.page).edges;
    },
    pageInfo: async (connection) => {
      connection.page ??= page(connection.args);
      return (await connection.page).pageInfo;
    },
    totalCount: ({ args }) => prisma.inviteLink.count({ where: whereOf(args) }),
    async totals({ args }) {
      const { _sum } = await prisma.inviteLink.aggregate({ where: whereOf(args), _sum: { budget: true } });
      return { budget: _sum.budget ?? 0n };
    },
    async facets({ args }) {
      const types = await prisma.tagType.findMany({ orderBy: { name: "asc" } });
      return Promise.all(types.map((type) => facetOf(args, type)));
    },
  },
};

const server = new ApolloServer({ typeDefs, resolvers, csrfPrevention: true });
const { url } = await startStandaloneServer(server, { listen: { port: 0, host: "127.0.0.1" } });
console.error(`ready: ${url}`);

// Mercurius as its guide recommends: compiled queries (jit), tags through a loader, hand-written SQL in named statements.
// Fields that were not selected are not computed.

import Fastify from "fastify";
import mercurius from "mercurius";
import pg from "pg";
import { typeDefs } from "./schema.mjs";

const pool = new pg.Pool({
  connectionString: process.env.DATABASE_URL,
  max: Number(process.env.POOL),
  options: "-c search_path=plain -c TimeZone=UTC",
});

/** Runs one prepared statement. Each name must always have the same text. */
const ask = async (name, text, values) => (await pool.query({ name, text, values })).rows;

const COLUMNS = `p.id, p.name, p.channel_id as "channelId", p.invite_link as url,
  p.creates_join_request as "createsJoinRequest", p.expire_date as "expireDate", p.member_limit as "memberLimit",
  p.created_at as "createdAt", p.is_bot_created as "isBotCreated", p.creator_id as "creatorId", p.budget`;

/** The SQL for the filter's tag groups; its parameters are numbered from `from`. */
function grouped({ filter }, from) {
  const groups = filter?.tagGroups ?? [];
  const parts = groups.map(
    (_, index) => `select link_id from invite_link_tag where tag_id = any($${from + index}::uuid[])`,
  );
  return {
    name: `g${groups.length}`,
    before: parts.length > 0 ? `with c as materialized (${parts.join(" intersect ")})` : "",
    where: parts.length > 0 ? "and p.id in (select link_id from c)" : "",
    values: groups.map(({ tagIds }) => tagIds),
  };
}

async function page(args) {
  const { channelId, first, after, page: number } = args;
  const { name, before, where, values } = grouped(args, 3);
  const last = 3 + values.length;
  let [mode, place, offset, placed] = ["first", "", "", []];
  if (after != null) {
    mode = "after";
    place = `and (p.created_at, p.id) < ($${last}::timestamptz, $${last + 1}::uuid)`;
    placed = after.split("_");
  } else if (number != null) {
    mode = "page";
    offset = `offset $${last}`;
    placed = [(number - 1) * first];
  }
  const rows = await ask(
    `page ${mode} ${name}`,
    `${before} select ${COLUMNS} from invite_link p where p.channel_id = $1 ${where} ${place}
     order by p.created_at desc, p.id desc limit $2 ${offset}`,
    [channelId, first + 1, ...values, ...placed],
  );
  const hasNextPage = rows.length > first;
  if (hasNextPage) rows.pop();
  const end = rows.at(-1);
  return {
    edges: rows.map((node) => ({ node })),
    pageInfo: {
      hasNextPage,
      endCursor: end === undefined ? null : `${end.createdAt.toISOString()}_${end.id}`,
    },
  };
}

async function facets(args) {
  const group = args.filter?.tagGroups?.[0];
  const hit =
    group === undefined
      ? "true"
      : "id in (select link_id from invite_link_tag where tag_id = any($2::uuid[]))";
  const own = (type) => (group === undefined ? "" : `or ${type} = $3`);
  const rows = await ask(
    `facets ${group !== undefined}`,
    `with l as materialized (select id, ${hit} as hit from invite_link where channel_id = $1),
     x as materialized (
       select lt.link_id, g.id as tag_id, g.name, g.type_id
       from l join invite_link_tag lt on lt.link_id = l.id join tag g on g.id = lt.tag_id
       where l.hit ${own("g.type_id")}),
     t as (select type_id, tag_id, name, count(*)::int as count from x group by type_id, tag_id, name),
     y as (select type_id, count(distinct link_id) as n from x group by type_id)
     select ty.id, ty.name, ((select count(*) from l where hit ${own("ty.id")}) - y.n)::int as without,
       t.tag_id, t.name as tag_name, t.count
     from y join tag_type ty on ty.id = y.type_id join t on t.type_id = ty.id order by ty.name, t.name, t.tag_id`,
    [args.channelId, ...(group === undefined ? [] : [group.tagIds, group.tagTypeId])],
  );
  const types = new Map();
  for (const { id, name, without, tag_id, tag_name, count } of rows) {
    if (!types.has(id)) types.set(id, { type: { id, name }, withoutTypeCount: without, tags: [] });
    types.get(id).tags.push({ count, tag: { id: tag_id, name: tag_name } });
  }
  return [...types.values()];
}

const resolvers = {
  Query: {
    async inviteLink(_, { id, channelId }) {
      const rows = await ask(
        "link",
        `select ${COLUMNS} from invite_link p where p.id = $1 and p.channel_id = $2`,
        [id, channelId],
      );
      return rows[0] ?? null;
    },
    inviteLinks: (_, args) => ({ args }),
  },
  InviteLinkConnection: {
    // `edges` and `pageInfo` share one page, which is read once.
    edges: async (connection) => {
      connection.page ??= page(connection.args);
      return (await connection.page).edges;
    },
    pageInfo: async (connection) => {
      connection.page ??= page(connection.args);
      return (await connection.page).pageInfo;
    },
    async totalCount({ args }) {
      const { name, before, where, values } = grouped(args, 2);
      const [row] = await ask(
        `count ${name}`,
        `${before} select count(*)::int as count from invite_link p where channel_id = $1 ${where}`,
        [args.channelId, ...values],
      );
      return row.count;
    },
    async totals({ args }) {
      const { name, before, where, values } = grouped(args, 2);
      const [row] = await ask(
        `totals ${name}`,
        `${before} select coalesce(sum(budget), 0)::text as budget from invite_link p where channel_id = $1 ${where}`,
        [args.channelId, ...values],
      );
      return row;
    },
    facets: ({ args }) => facets(args),
  },
};

const loaders = {
  InviteLink: {
    tags: {
      async loader(queries) {
        const rows = await ask(
          "tags",
          `select lt.link_id, g.id, g.name, g.color, ty.id as type_id, ty.name as type_name
           from invite_link_tag lt join tag g on g.id = lt.tag_id left join tag_type ty on ty.id = g.type_id
           where lt.link_id = any($1::uuid[]) order by lt.tag_id`,
          [queries.map(({ obj }) => obj.id)],
        );
        const tags = new Map(queries.map(({ obj }) => [obj.id, []]));
        for (const { link_id, id, name, color, type_id, type_name } of rows) {
          const type = type_id === null ? null : { id: type_id, name: type_name };
          tags.get(link_id).push({ id, name, color, type });
        }
        return queries.map(({ obj }) => tags.get(obj.id));
      },
      opts: { cache: false },
    },
  },
};

const app = Fastify();
app.register(mercurius, { schema: typeDefs, resolvers, loaders, jit: 1 });
const url = await app.listen({ port: 0, host: "127.0.0.1" });
console.error(`ready: ${url}`);

// The limit's statements: one for each workload, on the plain tables (data/plain.sql). PostgreSQL writes the JSON of the
// response, so that the program does nothing but send one statement and forward its result.

const instant = (/** @type {string} */ column) =>
  `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

const tagJson = `'{"id":"' || g.id || '","name":' || to_json(g.name) || ',"color":' || to_json(g.color) || ',"type":' ||
  case when ty.id is not null then '{"id":"' || ty.id || '","name":' || to_json(ty.name) || '}' else 'null' end || '}'`;

const linkJson = `'{"id":"' || p.id || '","name":' || coalesce(to_json(p.name)::text, 'null') || ',"channelId":"' ||
  p.channel_id || '","url":' || to_json(p.invite_link) || ',"createsJoinRequest":' || p.creates_join_request::text ||
  ',"expireDate":' || coalesce('"' || ${instant("p.expire_date")} || '"', 'null') ||
  ',"memberLimit":' || coalesce(p.member_limit::text, 'null') || ',"createdAt":"' || ${instant("p.created_at")} || '"' ||
  ',"isBotCreated":' || p.is_bot_created::text || ',"creatorId":"' || p.creator_id ||
  '","budget":' || coalesce('"' || p.budget::text || '"', 'null') || ',"tags":' || coalesce(tg.tags, '[]') || '}'`;

const tagsOf = (
  /** @type {string} */ which,
) => `select lt.link_id, '[' || string_agg(${tagJson}, ',' order by lt.tag_id) || ']' tags
  from invite_link_tag lt join tag g on g.id = lt.tag_id left join tag_type ty on ty.id = g.type_id
  where lt.link_id ${which} group by lt.link_id`;

/**
 * A page. $1 is the channel, $2 the page's size plus 1: the last row only shows whether there is a next page.
 * @param {{ before?: string, where?: string, offset?: string, count?: string }} [parts]
 */
const page = ({ before = "", where = "", offset = "", count = "null" } = {}) => `
with ${before} pg as materialized (
  select p.* from invite_link p where p.channel_id = $1 ${where} order by p.created_at desc, p.id desc limit $2::int ${offset}
), page as (select *, row_number() over () rn from pg),
tg as (${tagsOf("= any(array(select id from page where rn <= $2 - 1))")})
select count(*)::int as found, string_agg('{"node":' || ${linkJson} || '}', ',' order by rn) filter (where rn < $2) as edges,
  max(case when rn = $2 - 1 then ${instant("p.created_at")} || '_' || p.id end) as cursor, ${count} as total
from page p left join tg on tg.link_id = p.id`;

const tagged = (/** @type {string} */ parameter) =>
  `select link_id from invite_link_tag where tag_id = any(${parameter}::uuid[])`;

/**
 * Facets. With a group, $2 is its type and $3 its tags; the facet of that type is counted without the group.
 */
const facets = (/** @type {boolean} */ grouped) => `
with l as materialized (
  select id, ${grouped ? `id in (${tagged("$3")})` : "true"} as hit from invite_link where channel_id = $1
), x as materialized (
  select lt.link_id, g.id as tag_id, g.name, g.type_id
  from l join invite_link_tag lt on lt.link_id = l.id join tag g on g.id = lt.tag_id
  where l.hit ${grouped ? "or g.type_id = $2" : ""}
), t as (select type_id, tag_id, name, count(*) as n from x group by type_id, tag_id, name),
y as (select type_id, count(distinct link_id) as n from x group by type_id)
select string_agg('{"type":{"id":"' || ty.id || '","name":' || to_json(ty.name) || '},"withoutTypeCount":' ||
  (select count(*) from l where hit ${grouped ? "or ty.id = $2" : ""}) - y.n || ',"tags":[' ||
  (select string_agg('{"count":' || t.n || ',"tag":{"id":"' || t.tag_id || '","name":' || to_json(t.name) || '}}', ',' order by t.name, t.tag_id)
    from t where t.type_id = ty.id) || ']}', ',' order by ty.name) as facets
from y join tag_type ty on ty.id = y.type_id`;

const totals = (/** @type {string} */ where) => `
select coalesce(sum(budget), 0)::text as budget from invite_link where channel_id = $1 ${where}`;

const counted = "(select count(*)::int from invite_link where channel_id = $1)";

/** @typedef {Record<string, any>} Row */

const connection = (/** @type {Row} */ { found, edges, cursor, total }, /** @type {number} */ first) =>
  `{"data":{"inviteLinks":{${total === null ? "" : `"totalCount":${total},`}"edges":[${edges ?? ""}],"pageInfo":{"hasNextPage":${found > first},"endCursor":${cursor === null ? null : `"${cursor}"`}}}}}`;

const paged = (/** @type {Row} */ { channelId, first }) => [channelId, first + 1];
const groups = (/** @type {Row} */ { filter }) =>
  filter.tagGroups.map((/** @type {Row} */ { tagIds }) => tagIds);

/**
 * By workload: the statement, its parameters made from the query's variables, and the response made from its one row.
 * @type {Record<string, { text: string, values: (variables: Row) => unknown[], answer: (row: Row, variables: Row) => string }>}
 */
export const STATEMENTS = {
  W1: { text: page(), values: paged, answer: (row, { first }) => connection(row, first) },
  W1c: { text: page({ count: counted }), values: paged, answer: (row, { first }) => connection(row, first) },
  W1t: {
    text: `select ${counted} as total`,
    values: ({ channelId }) => [channelId],
    answer: (row) => `{"data":{"inviteLinks":{"totalCount":${row["total"]}}}}`,
  },
  W2: {
    text: page({
      before: `c as materialized (${tagged("$3")} intersect ${tagged("$4")}),`,
      where: "and p.id in (select link_id from c)",
    }),
    values: (variables) => [...paged(variables), ...groups(variables)],
    answer: (row, { first }) => connection(row, first),
  },
  W3: {
    text: `select ${linkJson} as link from invite_link p left join lateral (${tagsOf("= p.id")}) tg on true
      where p.id = $1 and p.channel_id = $2`,
    values: ({ id, channelId }) => [id, channelId],
    answer: (row) => `{"data":{"inviteLink":${row["link"]}}}`,
  },
  W4: {
    text: page({ where: "and (p.created_at, p.id) < ($3::timestamptz, $4::uuid)" }),
    values: (variables) => [...paged(variables), ...variables["after"].split("_")],
    answer: (row, { first }) => connection(row, first),
  },
  W4n: {
    text: page({ offset: "offset $3::int" }),
    values: (variables) => [...paged(variables), (variables["page"] - 1) * variables["first"]],
    answer: (row, { first }) => connection(row, first),
  },
  W5: {
    text: facets(false),
    values: ({ channelId }) => [channelId],
    answer: (row) => `{"data":{"inviteLinks":{"facets":[${row["facets"] ?? ""}]}}}`,
  },
  W5g: {
    text: facets(true),
    values: (variables) => [
      variables["channelId"],
      variables["filter"].tagGroups[0].tagTypeId,
      groups(variables)[0],
    ],
    answer: (row) => `{"data":{"inviteLinks":{"facets":[${row["facets"] ?? ""}]}}}`,
  },
  W6: {
    text: totals(""),
    values: ({ channelId }) => [channelId],
    answer: (row) => `{"data":{"inviteLinks":{"totals":{"budget":"${row["budget"]}"}}}}`,
  },
  W6g: {
    text: totals(`and id in (${tagged("$2")})`),
    values: (variables) => [variables["channelId"], groups(variables)[0]],
    answer: (row) => `{"data":{"inviteLinks":{"totals":{"budget":"${row["budget"]}"}}}}`,
  },
  W7: {
    text: `insert into invite_link as p (id, channel_id, name, invite_link, creates_join_request, created_at, updated_at,
        is_bot_created, creator_id, budget)
      values (gen_random_uuid(), $1, $2, $3, false, now(), now(), true, $4, $5)
      returning ${linkJson.replace("coalesce(tg.tags, '[]')", "'[]'")} as link`,
    values: ({ input, made }) => [
      input.channelId,
      input.name,
      made.invite_link,
      made.creator.id,
      input.budget * 100,
    ],
    answer: (row) =>
      `{"data":{"createInviteLink":{"__typename":"CreateInviteLinkSuccess","inviteLink":${row["link"]}}}}`,
  },
  W9: { text: page({ count: counted }), values: paged, answer: (row, { first }) => connection(row, first) },
};

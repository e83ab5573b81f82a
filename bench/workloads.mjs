// The workloads. This server, Mercurius and Apollo Server get the same query, because their schemas use the same names. The
// limit gets only the variables. PostGraphile derives its schema from its tables and gets a query of its own.

import { random } from "./random.mjs";

export const LINK = `id name channelId url createsJoinRequest expireDate memberLimit createdAt isBotCreated creatorId budget
  tags { id name color type { id name } }`;
const PAGE = `edges { node { ${LINK} } } pageInfo { hasNextPage endCursor }`;
const FACETS = "facets { type { id name } withoutTypeCount tags { count tag { id name } } }";

const PG_LINK = `rowId name channelId inviteLink createsJoinRequest expireDate memberLimit createdAt isBotCreated
  creatorId budget
  inviteLinkTagsByLinkId(orderBy: TAG_ID_ASC) {
    nodes { tagByTagId { rowId name color tagTypeByTypeId { rowId name } } }
  }`;
const PG_PAGE = `edges { node { ${PG_LINK} } } pageInfo { hasNextPage endCursor }`;
const PG_ORDER = "orderBy: [CREATED_AT_DESC, PRIMARY_KEY_DESC]";

/** @typedef {Record<string, any>} Variables */

/**
 * The rows from which requests are drawn.
 * @typedef {object} Facts
 * @property {{ channelId: number, links: number, tags: { id: string, typeId: string }[] }[]} channels the largest first;
 *   channelId is a Telegram chat id, as in the schema
 * @property {{ id: string, channelId: number }[]} links a sample of all links
 *
 * @typedef {object} Workload
 * @property {string} title
 * @property {(facts: Facts, pick: Pick) => Variables} draw draws one request's variables
 * @property {number} [connections] the most connections of the load generator, for requests that keep the database busy
 * @property {string} [comparedTo] another workload that is measured in the same rounds
 * @property {string} query
 * @property {string} [postgraphile] PostGraphile's query; absent if its schema cannot express the workload
 * @property {(variables: Variables) => Variables} [postgraphileVariables]
 * @property {(variables: Variables) => string} [rest] a path of this server's REST API, used instead of the query
 * @property {boolean} [writes] true: the workload changes data; only the limit and this server can do it
 * @property {(data: any) => unknown} rows the part of a response in the query's shape that must be equal on all servers
 *
 * @typedef {ReturnType<typeof picker>} Pick
 */

/** @param {number} seed */
export function picker(seed) {
  const next = random(seed);
  const below = (/** @type {number} */ n) => Math.floor(next() * n);
  return {
    below,
    /** @template T @param {readonly T[]} list @returns {T} */
    one: (list) => /** @type {T} */ (list[below(list.length)]),
    /** @template T @param {readonly T[]} list @param {number} count @returns {T[]} */
    some(list, count) {
      const left = [...list];
      return Array.from(
        { length: Math.min(count, left.length) },
        () => left.splice(below(left.length), 1)[0],
      ).map((item) => /** @type {T} */ (item));
    },
    /** A random channel, weighted by its number of links. @param {Facts} facts */
    channel({ channels }) {
      let left = next() * channels.reduce((sum, { links }) => sum + links, 0);
      for (const channel of channels) {
        left -= channel.links;
        if (left < 0) return channel;
      }
      return /** @type {Facts["channels"][number]} */ (channels[0]);
    },
  };
}

const FIRST = 50;
const largest = (/** @type {Facts} */ { channels }) => /** @type {Facts["channels"][number]} */ (channels[0]);

/**
 * Tag groups of different types, each with two to five tags.
 * @param {Facts["channels"][number]} channel
 * @param {Pick} pick
 * @param {number} count
 */
function tagGroups({ tags }, pick, count) {
  const types = pick.some([...new Set(tags.map(({ typeId }) => typeId))], count);
  return types.map((tagTypeId) => ({
    tagTypeId,
    tagIds: pick
      .some(
        tags.filter(({ typeId }) => typeId === tagTypeId),
        2 + pick.below(4),
      )
      .map(({ id }) => id),
  }));
}

/** A page about 50,000 links deep, or half as deep as the largest channel. @param {Facts} facts @param {Pick} pick */
function deep(facts, pick) {
  const channel = largest(facts);
  const depth = Math.min(50_000, channel.links / 2) * (0.9 + 0.02 * pick.below(10));
  return { channelId: channel.channelId, first: FIRST, page: Math.max(2, Math.round(depth / FIRST)) };
}

/** The UUID in an id: this server's ids are global ids. @param {string} id */
const bare = (id) => (id.includes("-") ? id : (Buffer.from(id, "base64").toString().split(":")[1] ?? id));
const instant = (/** @type {string | null} */ at) => (at === null ? null : new Date(at).toISOString());
/** A budget in cents: this server gives decimals, the plain tables hold whole cents. @param {string} text */
const cents = (text) => (/\./.test(text) ? Math.round(Number(text) * 100) : Number(text));

const linkRow = (/** @type {any} */ link) =>
  link && [
    bare(link.id),
    link.name,
    String(link.channelId),
    link.url,
    link.createsJoinRequest,
    instant(link.expireDate),
    link.memberLimit,
    instant(link.createdAt),
    link.isBotCreated,
    String(link.creatorId),
    cents(link.budget),
    link.tags.map((/** @type {any} */ { id, name, color, type }) => [
      bare(id),
      name,
      color,
      bare(type.id),
      type.name,
    ]),
  ];
const pageRows = (/** @type {any} */ { inviteLinks }) => ({
  total: inviteLinks.totalCount,
  next: inviteLinks.pageInfo.hasNextPage,
  links: inviteLinks.edges.map((/** @type {any} */ { node }) => linkRow(node)),
});
/** Without tags that no link carries, because the plain tables do not hold a tag's channel. */
const facetRows = (/** @type {any} */ { inviteLinks }) =>
  inviteLinks.facets
    .map((/** @type {any} */ { type, withoutTypeCount, tags }) => [
      bare(type.id),
      withoutTypeCount,
      tags
        .filter((/** @type {any} */ { count }) => count > 0)
        .map((/** @type {any} */ { count, tag }) => [bare(tag.id), tag.name, count])
        .sort(),
    ])
    .sort();
const totalRows = (/** @type {any} */ { inviteLinks }) => cents(inviteLinks.totals.budget);

/** @type {Record<string, Workload>} */
export const WORKLOADS = {
  W1: {
    title: "a page of the 50 newest links, 12 fields each, with tags and their types",
    draw: (facts, pick) => ({ channelId: pick.channel(facts).channelId, first: FIRST }),
    query: `query($channelId: TelegramID!, $first: Int) { inviteLinks(channelId: $channelId, first: $first) { ${PAGE} } }`,
    postgraphile: `query($channelId: BigInt!, $first: Int) {
      inviteLinks: allInviteLinks(condition: { channelId: $channelId }, first: $first, ${PG_ORDER}) { ${PG_PAGE} } }`,
    rows: pageRows,
  },
  W1c: {
    title: "the page of W1 with totalCount",
    draw: (facts, pick) => ({ channelId: pick.channel(facts).channelId, first: FIRST }),
    query: `query($channelId: TelegramID!, $first: Int) {
      inviteLinks(channelId: $channelId, first: $first) { totalCount ${PAGE} } }`,
    postgraphile: `query($channelId: BigInt!, $first: Int) {
      inviteLinks: allInviteLinks(condition: { channelId: $channelId }, first: $first, ${PG_ORDER}) { totalCount ${PG_PAGE} } }`,
    rows: pageRows,
  },
  W1t: {
    title: "totalCount of the largest channel, without a page",
    draw: (facts) => ({ channelId: largest(facts).channelId }),
    connections: 4,
    query: "query($channelId: TelegramID!) { inviteLinks(channelId: $channelId) { totalCount } }",
    postgraphile: `query($channelId: BigInt!) {
      inviteLinks: allInviteLinks(condition: { channelId: $channelId }) { totalCount } }`,
    rows: ({ inviteLinks }) => inviteLinks.totalCount,
  },
  W2: {
    title: "the page of W1 under two tag groups",
    draw(facts, pick) {
      const channel = pick.channel(facts);
      return {
        channelId: channel.channelId,
        first: FIRST,
        filter: { tagGroups: tagGroups(channel, pick, 2) },
      };
    },
    query: `query($channelId: TelegramID!, $first: Int, $filter: InviteLinkFilter) {
      inviteLinks(channelId: $channelId, first: $first, filter: $filter) { ${PAGE} } }`,
    postgraphile: `query($channelId: BigInt!, $first: Int, $one: [UUID!], $other: [UUID!]) {
      inviteLinks: allInviteLinks(
        condition: { channelId: $channelId }, first: $first, ${PG_ORDER}
        filter: { and: [
          { inviteLinkTagsByLinkId: { some: { tagId: { in: $one } } } }
          { inviteLinkTagsByLinkId: { some: { tagId: { in: $other } } } }
        ] }
      ) { ${PG_PAGE} } }`,
    postgraphileVariables: ({ channelId, first, filter: { tagGroups: groups } }) => ({
      channelId,
      first,
      one: groups[0].tagIds,
      other: groups[1].tagIds,
    }),
    rows: pageRows,
  },
  W3: {
    title: "one link by id, with its tags",
    draw: (facts, pick) => ({ ...pick.one(facts.links) }),
    query: `query($id: ID!, $channelId: TelegramID) { inviteLink(id: $id, channelId: $channelId) { ${LINK} } }`,
    postgraphile: `query($id: UUID!) { inviteLink: inviteLinkByRowId(rowId: $id) { ${PG_LINK} } }`,
    postgraphileVariables: ({ id }) => ({ id }),
    rows: ({ inviteLink }) => linkRow(inviteLink),
  },
  W4: {
    title: "a page about 50,000 links deep, by cursor",
    comparedTo: "W1",
    draw: deep,
    query: `query($channelId: TelegramID!, $first: Int, $after: String) {
      inviteLinks(channelId: $channelId, first: $first, after: $after) { ${PAGE} } }`,
    postgraphile: `query($channelId: BigInt!, $first: Int, $after: Cursor) {
      inviteLinks: allInviteLinks(condition: { channelId: $channelId }, first: $first, after: $after, ${PG_ORDER}) { ${PG_PAGE} } }`,
    rows: pageRows,
  },
  W4n: {
    title: "the page of W4 by number",
    draw: deep,
    query: `query($channelId: TelegramID!, $first: Int, $page: Int) {
      inviteLinks(channelId: $channelId, first: $first, page: $page) { ${PAGE} } }`,
    postgraphile: `query($channelId: BigInt!, $first: Int, $offset: Int) {
      inviteLinks: allInviteLinks(condition: { channelId: $channelId }, first: $first, offset: $offset, ${PG_ORDER}) { ${PG_PAGE} } }`,
    postgraphileVariables: ({ channelId, first, page }) => ({ channelId, first, offset: (page - 1) * first }),
    rows: pageRows,
  },
  W5: {
    title: "facets of the largest channel",
    draw: (facts) => ({ channelId: largest(facts).channelId }),
    connections: 4,
    query: `query($channelId: TelegramID!) { inviteLinks(channelId: $channelId) { ${FACETS} } }`,
    rows: facetRows,
  },
  W5g: {
    title: "facets of the largest channel under one tag group",
    draw: (facts, pick) => ({
      channelId: largest(facts).channelId,
      filter: { tagGroups: tagGroups(largest(facts), pick, 1) },
    }),
    connections: 4,
    query: `query($channelId: TelegramID!, $filter: InviteLinkFilter) {
      inviteLinks(channelId: $channelId, filter: $filter) { ${FACETS} } }`,
    rows: facetRows,
  },
  W6: {
    title: "totals of the largest channel",
    draw: (facts) => ({ channelId: largest(facts).channelId }),
    connections: 4,
    query: "query($channelId: TelegramID!) { inviteLinks(channelId: $channelId) { totals { budget } } }",
    rows: totalRows,
  },
  W6g: {
    title: "totals of the largest channel under one tag group",
    draw: (facts, pick) => ({
      channelId: largest(facts).channelId,
      filter: { tagGroups: tagGroups(largest(facts), pick, 1) },
    }),
    connections: 4,
    query: `query($channelId: TelegramID!, $filter: InviteLinkFilter) {
      inviteLinks(channelId: $channelId, filter: $filter) { totals { budget } } }`,
    rows: totalRows,
  },
  W7: {
    title: "creation of a link, with a simulated Telegram that answers at once",
    draw: (facts, pick) => ({
      input: {
        channelId: pick.channel(facts).channelId,
        name: `Made ${pick.below(1_000_000)}`,
        budget: "12.50",
      },
    }),
    query: `mutation($input: CreateInviteLinkInput!) { createInviteLink(input: $input) {
      __typename ... on CreateInviteLinkSuccess { inviteLink { ${LINK} } } ... on UserError { message } } }`,
    writes: true,
    rows: ({ createInviteLink }) => [createInviteLink.__typename, createInviteLink.inviteLink.name],
  },
  W9: {
    title: "the REST list: a page of 50 links and the number of all links (the limit answers W1c)",
    draw: (facts, pick) => ({ channelId: pick.channel(facts).channelId, first: FIRST }),
    query: "",
    rest: ({ channelId, first }) => `/invite_links/all?channel_id=${channelId}&limit=${first}`,
    rows(data) {
      // This server's REST shape, or the limit's GraphQL shape.
      const links = data.items ?? data.inviteLinks.edges.map((/** @type {any} */ { node }) => node);
      return {
        total: data.total ?? data.inviteLinks.totalCount,
        links: links.map((/** @type {any} */ { id, name, tags }) => [
          id,
          name,
          tags.map((/** @type {any} */ tag) => [tag.id, tag.name, tag.type.id]),
        ]),
      };
    },
  },
};

/** PostGraphile's data in the shape of the other servers. @param {any} data */
export function fromPostgraphile(data) {
  const link = (/** @type {any} */ { rowId, inviteLink, inviteLinkTagsByLinkId, ...rest }) => ({
    ...rest,
    id: rowId,
    url: inviteLink,
    tags: inviteLinkTagsByLinkId.nodes.map((/** @type {any} */ { tagByTagId: tag }) => ({
      id: tag.rowId,
      name: tag.name,
      color: tag.color,
      type: { id: tag.tagTypeByTypeId.rowId, name: tag.tagTypeByTypeId.name },
    })),
  });
  if ("inviteLink" in data) return { inviteLink: data.inviteLink && link(data.inviteLink) };
  const { edges = [], ...rest } = data.inviteLinks;
  return {
    inviteLinks: { ...rest, edges: edges.map((/** @type {any} */ { node }) => ({ node: link(node) })) },
  };
}

import { type AnyVariables, Client, type DocumentInput, fetchExchange, gql } from "@urql/core";
import { cacheExchange } from "@urql/exchange-graphcache";
import { relayPagination } from "@urql/exchange-graphcache/extras";
import { getIntrospectionQuery } from "graphql";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CHANNEL, startTestServer, type TestServer, YOUTUBE } from "../support/server.js";
import { expectSilentConsole, listedIds, ON_YOUTUBE } from "./support.js";

const LINK = gql`
  fragment Link on InviteLink { id name budget subscription { priceStars } tags { id name type { id name } } }
`;
const PAGE = gql`
  query ($channelId: TelegramID!, $filter: InviteLinkFilter, $first: Int, $after: String) {
    inviteLinks(channelId: $channelId, filter: $filter, first: $first, after: $after) {
      pageInfo { hasNextPage endCursor }
      edges { cursor node { ...Link } }
    }
  }
  ${LINK}
`;
const NODE = gql`
  query ($id: ID!) { node(id: $id) { id ...Link } }
  ${LINK}
`;
const CREATE = gql`
  mutation ($input: CreateInviteLinkInput!) {
    createInviteLink(input: $input) {
      __typename
      ... on CreateInviteLinkSuccess { inviteLink { ...Link } }
      ... on ValidationError { fieldErrors { field message } }
      ... on UserError { code message }
    }
  }
  ${LINK}
`;

let server: TestServer;
let schema: object;
beforeAll(async () => {
  server = await startTestServer();
  schema = (await server.ask(getIntrospectionQuery({ descriptions: false }))).data;
});
afterAll(() => server.stop());
expectSilentConsole();

interface ClientOptions {
  readonly token?: string;
  readonly preferGetMethod?: "force" | "within-url-limit" | false;
}

function createClient({ token = server.token, preferGetMethod = false }: ClientOptions = {}) {
  const client = new Client({
    url: server.url,
    preferGetMethod,
    exchanges: [
      cacheExchange({
        schema: schema as never,
        // Objects without an id are stored inside their parent.
        keys: { FieldError: () => null, InviteLinkSubscription: () => null },
        resolvers: { Query: { inviteLinks: relayPagination() } },
      }),
      fetchExchange,
    ],
    fetchOptions: { headers: { authorization: `Bearer ${token}` } },
  });
  // biome-ignore lint/suspicious/noExplicitAny: the shape of the data depends on the document.
  const query = (document: DocumentInput<any>, variables: AnyVariables) => client.query(document, variables);
  return { client, query };
}

interface Connection {
  readonly edges: readonly { readonly node: { readonly id: string; readonly name: string } }[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string };
}
const idsOf = ({ edges }: Connection): string[] => edges.map(({ node }) => node.id);

/** Queries page after page. The cache appends each page, so that the last result is the whole list. */
async function loadAll({ query }: ReturnType<typeof createClient>, variables: object) {
  let list: Connection | undefined;
  let pages = 0;
  do {
    const asked = { channelId: CHANNEL, first: 7, ...variables, after: list?.pageInfo.endCursor ?? null };
    const { data, error } = await query(PAGE, asked);
    if (error) throw error;
    list = data.inviteLinks as Connection;
    pages += 1;
  } while (list.pageInfo.hasNextPage);
  return { list, pages };
}

const methodsSince = (start: number): unknown[] =>
  server.log.slice(start).flatMap(({ msg, method }) => (msg === "request" ? [method] : []));

describe("Graphcache", () => {
  test("Graphcache appends pages without repeating a link and stores a list for each filter", async () => {
    const client = createClient();
    const all = await loadAll(client, {});
    expect(idsOf(all.list)).toEqual(await listedIds(server));
    expect(all.pages).toBe(Math.ceil(idsOf(all.list).length / 7));
    const filter = ON_YOUTUBE;
    const filtered = await loadAll(client, { filter, first: 2 });
    expect(idsOf(filtered.list)).toEqual(await listedIds(server, { filter }));
    expect(filtered.pages).toBeGreaterThan(1);
    expect((await loadAll(client, {})).list).toEqual(all.list);
  });

  test("Graphcache shares a link between a mutation, a page and Query.node", async () => {
    const { client, query } = createClient();
    const input = { channelId: CHANNEL, name: "urql", tagIds: [YOUTUBE], idempotencyKey: "u" };
    const { data } = await client.mutation(CREATE, { input });
    expect(data?.createInviteLink).toMatchObject({
      __typename: "CreateInviteLinkSuccess",
      inviteLink: { name: "urql", subscription: null, tags: [{ name: "YouTube" }] },
    });
    const { id } = data?.createInviteLink.inviteLink ?? {};
    expect((await query(NODE, { id })).data.node).toMatchObject({ id, name: "urql" });
    const list = (await query(PAGE, { channelId: CHANNEL, first: 1 })).data.inviteLinks as Connection;
    expect(idsOf(list)).toEqual([id]);
    // The cache alone can answer the query.
    const known = await client.query(NODE, { id }, { requestPolicy: "cache-only" });
    expect(known.data?.node).toEqual(list.edges[0]?.node);
  });
});

describe("errors", () => {
  const input = { channelId: CHANNEL, name: "" };

  test("urql receives the user errors of a mutation as types of the data", async () => {
    const { data, error } = await createClient().client.mutation(CREATE, { input });
    expect(error).toBeUndefined();
    expect(data?.createInviteLink).toMatchObject({
      __typename: "ValidationError",
      code: "BAD_USER_INPUT",
      fieldErrors: [{ field: "name", message: expect.any(String) }],
    });
    const token = await server.makeToken({ role: "VIEWER" });
    const forbidden = await createClient({ token }).client.mutation(CREATE, { input });
    expect(forbidden.data?.createInviteLink).toMatchObject({
      __typename: "ForbiddenError",
      code: "FORBIDDEN",
    });
  });

  test("urql receives a code with a query error and with an invalid token", async () => {
    const failed = await createClient().query(PAGE, { channelId: CHANNEL, first: 101 });
    expect(failed.error?.graphQLErrors.map(({ extensions }) => extensions["code"])).toEqual([
      "BAD_USER_INPUT",
    ]);
    const unknown = await createClient({ token: "nobody" }).query(PAGE, { channelId: CHANNEL });
    expect(unknown.error?.response.status).toBe(401);
    expect(unknown.error?.graphQLErrors.map(({ extensions }) => extensions["code"])).toEqual([
      "UNAUTHENTICATED",
    ]);
  });
});

describe("queries by GET", () => {
  test.each(["force", "within-url-limit"] as const)(
    "urql sends queries by GET and mutations by POST with preferGetMethod %s",
    async (preferGetMethod) => {
      const { client, query } = createClient({ preferGetMethod });
      const before = server.log.length;
      const filter = { name: "Кофе & код, 100%?", tagGroups: [] };
      const { data, error } = await query(PAGE, { channelId: CHANNEL, filter, first: 3 });
      expect([error, data.inviteLinks.edges]).toEqual([undefined, []]);
      expect(
        (await query(PAGE, { channelId: CHANNEL, first: 101 })).error?.graphQLErrors[0]?.extensions["code"],
      ).toBe("BAD_USER_INPUT");
      await client.mutation(CREATE, { input: { channelId: CHANNEL, name: "By POST" } });
      expect(methodsSince(before)).toEqual(["GET", "GET", "POST"]);
    },
  );
});

import { createHash } from "node:crypto";
import {
  ApolloClient,
  ApolloLink,
  CombinedGraphQLErrors,
  gql,
  HttpLink,
  InMemoryCache,
  type PossibleTypesMap,
  ServerError,
  type TypedDocumentNode,
} from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { relayStylePagination } from "@apollo/client/utilities";
import { BehaviorSubject, filter, firstValueFrom, type Observable } from "rxjs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CHANNEL, PLATFORM, startTestServer, type TestServer, YOUTUBE } from "../support/server.js";
import { DEAREST_FIRST, expectSilentConsole, listedIds, ON_YOUTUBE } from "./support.js";

// biome-ignore lint/suspicious/noExplicitAny: the shape of the data depends on the document.
type AnyDocument = TypedDocumentNode<any>;

const LINK = gql`
  fragment Link on InviteLink { id name url budget tags { id name type { id name } } channel { id title } }
`;
const PAGE: AnyDocument = gql`
  query Page(
    $channelId: TelegramID!, $filter: InviteLinkFilter, $orderBy: [InviteLinkOrder!], $first: Int, $after: String
  ) {
    inviteLinks(channelId: $channelId, filter: $filter, orderBy: $orderBy, first: $first, after: $after) {
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      edges { cursor node { ...Link } }
      nodes { id }
    }
  }
  ${LINK}
`;
const COUNT: AnyDocument = gql`
  query Count($channelId: TelegramID!) { inviteLinks(channelId: $channelId) { totalCount } }
`;
const NODE: AnyDocument = gql`
  query Node($id: ID!) { node(id: $id) { ...Identified ...Link ... on InviteLink { createdAt isExpired } } }
  fragment Identified on Node { id }
  ${LINK}
`;
const CREATE: AnyDocument = gql`
  mutation Create($input: CreateInviteLinkInput!) {
    createInviteLink(input: $input) {
      ... on CreateInviteLinkSuccess { inviteLink { ...Link } }
      ... on ValidationError { fieldErrors { field message } }
      ... on UserError { code message }
    }
  }
  ${LINK}
`;

let server: TestServer;
let possibleTypes: PossibleTypesMap;
beforeAll(async () => {
  server = await startTestServer();
  // Apollo's documentation tells front ends to load possibleTypes in this way.
  const { data } = await server.ask("{ __schema { types { name possibleTypes { name } } } }");
  const types = data.__schema.types as { name: string; possibleTypes: { name: string }[] | null }[];
  possibleTypes = Object.fromEntries(
    types.flatMap(({ name, possibleTypes: members }) =>
      members === null ? [] : [[name, members.map((member) => member.name)]],
    ),
  );
});
afterAll(() => server.stop());
expectSilentConsole();

function createClient(token = server.token, ...links: ApolloLink[]): ApolloClient {
  const http = new HttpLink({ uri: server.url, headers: { authorization: `Bearer ${token}` } });
  return new ApolloClient({
    link: ApolloLink.from([...links, http]),
    cache: new InMemoryCache({
      possibleTypes,
      typePolicies: {
        Query: { fields: { inviteLinks: relayStylePagination(["channelId", "filter", "orderBy"]) } },
        // New tags replace the old ones. Without this policy Apollo warns that tags may be lost.
        InviteLink: { fields: { tags: { merge: false } } },
      },
    }),
  });
}

interface Connection {
  readonly edges: readonly { readonly node: { readonly id: string; readonly name: string } }[];
  readonly nodes: readonly { readonly id: string }[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}
const idsOf = ({ edges }: Connection): string[] => edges.map(({ node }) => node.id);
/** The latest result that a screen received. */
type Screen = Observable<{ readonly data?: { readonly inviteLinks: Connection } }>;
const whenShown = (screen: Screen, isMeant: (list: Connection) => boolean) =>
  firstValueFrom(screen.pipe(filter(({ data }) => data !== undefined && isMeant(data.inviteLinks))));

/** Shows a list on a screen and loads all its pages. */
async function showAll(client: ApolloClient, variables: object) {
  const asked = { channelId: CHANNEL, first: 7, ...variables };
  const list = client.watchQuery({ query: PAGE, variables: asked });
  const screen = new BehaviorSubject({});
  const subscription = list.subscribe(screen);
  await whenShown(screen, () => true);
  const cached = (): Connection => client.readQuery({ query: PAGE, variables: asked })?.inviteLinks;
  let pages = 1;
  for (; cached().pageInfo.hasNextPage; pages += 1) {
    await list.fetchMore({ variables: { after: cached().pageInfo.endCursor } });
  }
  return { screen, cached, pages, close: () => subscription.unsubscribe() };
}

describe("a list in the cache, with relayStylePagination", () => {
  test("Apollo's cache loads a list page by page and contains each link once", async () => {
    const { screen, cached, pages, close } = await showAll(createClient(), {});
    const all = await listedIds(server);
    expect(idsOf(cached())).toEqual(all);
    await whenShown(screen, (list) => idsOf(list).join() === all.join());
    expect(pages).toBe(Math.ceil(idsOf(cached()).length / 7));
    expect(cached().pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: false });
    // Apollo appends edges only; all other fields are those of the latest page.
    expect(cached().nodes.map(({ id }: { id: string }) => id)).toEqual(
      idsOf(cached()).slice((pages - 1) * 7),
    );
    close();
  });

  test("Apollo's cache stores a list for each filter and order", async () => {
    const client = createClient();
    const all = await showAll(client, {});
    const before = all.cached();
    const filtered = await showAll(client, { filter: ON_YOUTUBE, first: 2 });
    const ordered = await showAll(client, { orderBy: DEAREST_FIRST });
    expect(idsOf(filtered.cached())).toEqual(await listedIds(server, { filter: ON_YOUTUBE }));
    expect(filtered.pages).toBeGreaterThan(1);
    expect(idsOf(ordered.cached())).toEqual(await listedIds(server, { orderBy: DEAREST_FIRST }));
    expect(all.cached()).toEqual(before);
    for (const list of [all, filtered, ordered]) list.close();
  });

  test("Apollo's cache adds totalCount to a loaded list and keeps it while pages are loaded", async () => {
    const client = createClient();
    const { cached, close } = await showAll(client, {});
    const before = cached();
    const count = await client.query({ query: COUNT, variables: { channelId: CHANNEL } });
    expect(count.data.inviteLinks.totalCount).toBe(idsOf(before).length);
    expect(cached()).toEqual(before);
    close();
    const again = await showAll(client, {});
    expect(client.readQuery({ query: COUNT, variables: { channelId: CHANNEL } })).toMatchObject(count.data);
    again.close();
  });
});

describe("entities", () => {
  test("Apollo's cache has one entity for a link that is read from a page and through Query.node", async () => {
    const client = createClient();
    const variables = { channelId: CHANNEL, first: 3 };
    const { data } = await client.query({ query: PAGE, variables });
    const { id, name } = data.inviteLinks.edges[1].node;
    const node = await client.query({ query: NODE, variables: { id } });
    // The cache can answer only if it knows that an InviteLink is a Node.
    expect(node.data.node).toMatchObject({ __typename: "InviteLink", id, name, isExpired: false });
    const cached = client.extract() as Record<string, Record<string, unknown>>;
    expect(Object.keys(cached).filter((key) => key.startsWith("InviteLink:"))).toEqual(
      expect.arrayContaining(idsOf(data.inviteLinks).map((link) => `InviteLink:${link}`)),
    );
    expect(Object.keys(cached).filter((key) => key.startsWith("InviteLink:"))).toHaveLength(3);
    expect(cached["ROOT_QUERY"]?.[`node({"id":"${id}"})`]).toEqual({ __ref: `InviteLink:${id}` });
    client.cache.modify({ id: `InviteLink:${id}`, fields: { name: () => "Seen by both" } });
    expect(client.readQuery({ query: PAGE, variables })?.inviteLinks.edges[1].node.name).toBe("Seen by both");
    expect(client.readQuery({ query: NODE, variables: { id } })?.node.name).toBe("Seen by both");
  });

  test("Apollo's cache updates the entity of a link from a mutation's result", async () => {
    const client = createClient();
    const input = {
      channelId: CHANNEL,
      name: "Apollo",
      budget: "12.5",
      tagIds: [YOUTUBE],
      idempotencyKey: "a",
    };
    const { cached, close } = await showAll(client, {});
    const before = cached();
    const { data } = await client.mutate({
      mutation: CREATE,
      variables: { input },
      update(cache, result) {
        const { inviteLink } = result.data.createInviteLink;
        cache.updateQuery({ query: PAGE, variables: { channelId: CHANNEL } }, (list) => ({
          inviteLinks: {
            ...list.inviteLinks,
            edges: [
              { __typename: "InviteLinkEdge", cursor: "", node: inviteLink },
              ...list.inviteLinks.edges,
            ],
          },
        }));
      },
    });
    const { inviteLink, __typename } = data.createInviteLink;
    expect(__typename).toBe("CreateInviteLinkSuccess");
    expect(inviteLink).toMatchObject({
      __typename: "InviteLink",
      budget: "12.50",
      tags: [{ name: "YouTube" }],
    });
    expect(idsOf(cached())).toEqual([inviteLink.id, ...idsOf(before)]);
    expect(idsOf(cached())).toEqual(await listedIds(server));

    client.cache.modify({ id: client.cache.identify(inviteLink) ?? "", fields: { name: () => "Stale" } });
    expect(cached().edges[0]?.node.name).toBe("Stale");
    await client.mutate({ mutation: CREATE, variables: { input } });
    expect(cached().edges[0]?.node.name).toBe("Apollo");
    close();
  });
});

describe("changes", () => {
  const UPDATE: AnyDocument = gql`
    mutation Update($input: UpdateInviteLinkInput!) {
      updateInviteLink(input: $input) {
        ... on UpdateInviteLinkSuccess { inviteLink { ...Link } }
        ... on UserError { code message }
      }
    }
    ${LINK}
  `;
  const TAG: AnyDocument = gql`
    mutation Tag($input: SetInviteLinkTagsInput!) {
      setInviteLinkTags(input: $input) { ... on SetInviteLinkTagsSuccess { inviteLinks { ...Link } } }
    }
    ${LINK}
  `;
  const RECOLOR: AnyDocument = gql`
    mutation Recolor($input: UpdateTagInput!) {
      updateTag(input: $input) { ... on UpdateTagSuccess { tag { id name } } }
    }
  `;
  const DELETE_TAG: AnyDocument = gql`
    mutation DeleteTag($input: DeleteTagInput!) {
      deleteTag(input: $input) { ... on DeleteTagSuccess { deletedTagId } }
    }
  `;
  const MAKE_TAG: AnyDocument = gql`
    mutation MakeTag($input: CreateTagInput!) {
      createTag(input: $input) { ... on CreateTagSuccess { tag { id name type { id } } } }
    }
  `;

  test("changes of a link and its tags reach every list in Apollo's cache that shows them", async () => {
    const client = createClient();
    const { cached, close } = await showAll(client, {});
    const shown = () =>
      cached().edges[2]?.node as unknown as { id: string; name: string; tags: { name: string }[] };
    const { id } = shown();
    const mutate = async (mutation: AnyDocument, input: object) =>
      (await client.mutate({ mutation, variables: { input } })).data;
    await mutate(UPDATE, { id, name: "Changed", tagIds: [] });
    expect(shown()).toMatchObject({ name: "Changed", tags: [] });

    const { createTag } = await mutate(MAKE_TAG, {
      channelId: CHANNEL,
      name: "New",
      color: "#123456",
      tagTypeId: PLATFORM,
    });
    await mutate(TAG, { ids: [id], addTagIds: [createTag.tag.id] });
    expect(shown().tags).toMatchObject([{ name: "New" }]);
    await mutate(RECOLOR, { id: createTag.tag.id, name: "Renamed" });
    expect(shown().tags).toMatchObject([{ name: "Renamed" }]);

    const { deleteTag } = await mutate(DELETE_TAG, { id: createTag.tag.id });
    expect(deleteTag.deletedTagId).toBe(createTag.tag.id);
    client.cache.evict({
      id: client.cache.identify({ __typename: "Tag", id: deleteTag.deletedTagId }) ?? "",
    });
    client.cache.gc();
    expect(shown().tags).toEqual([]);
    close();
  });
});

describe("errors", () => {
  const input = { channelId: CHANNEL, name: "" };

  test("Apollo Client receives the user errors of a mutation as types of the data", async () => {
    const { data, error } = await createClient().mutate({ mutation: CREATE, variables: { input } });
    expect(error).toBeUndefined();
    expect(data.createInviteLink).toEqual({
      __typename: "ValidationError",
      code: "BAD_USER_INPUT",
      message: expect.any(String),
      fieldErrors: [{ __typename: "FieldError", field: "name", message: expect.any(String) }],
    });
    const reader = createClient(await server.makeToken({ role: "VIEWER" }));
    const forbidden = await reader.mutate({ mutation: CREATE, variables: { input } });
    expect(forbidden.data.createInviteLink).toEqual({
      __typename: "ForbiddenError",
      code: "FORBIDDEN",
      message: expect.any(String),
    });
  });

  const failure = (client: ApolloClient, variables: object): Promise<unknown> =>
    client.query({ query: PAGE, variables }).then(
      ({ data }) => Promise.reject(new Error(JSON.stringify(data))),
      (error: unknown) => error,
    );

  test.each([
    ["an invalid variable", { channelId: "nonsense" }],
    ["a field that fails", { channelId: CHANNEL, first: 101 }],
  ])("Apollo Client receives a GraphQL error for a query with %s", async (_what, variables) => {
    const error = await failure(createClient(), variables);
    if (!CombinedGraphQLErrors.is(error)) throw error;
    expect(error.errors.map(({ extensions }) => extensions?.["code"])).toEqual(["BAD_USER_INPUT"]);
  });

  test("Apollo Client receives a ServerError with status 401 for an invalid token", async () => {
    const error = await failure(createClient("nobody"), { channelId: CHANNEL });
    if (!ServerError.is(error)) throw error;
    expect(error.statusCode).toBe(401);
    expect(JSON.parse(error.bodyText).errors[0].extensions.code).toBe("UNAUTHENTICATED");
  });
});

test("Apollo Client sends a document once, and then its hash alone by GET", async () => {
  const sha256 = (document: string) => createHash("sha256").update(document).digest("hex");
  const client = createClient(server.token, new PersistedQueryLink({ sha256, useGETForHashedQueries: true }));
  const before = server.log.length;
  const ask = () =>
    client.query({ query: COUNT, variables: { channelId: CHANNEL }, fetchPolicy: "no-cache" });
  expect((await ask()).data.inviteLinks.totalCount).toBeGreaterThan(0);
  expect((await ask()).data.inviteLinks.totalCount).toBeGreaterThan(0);
  const requests = server.log.slice(before).filter(({ msg }) => msg === "request");
  expect(requests.map(({ method, status }) => [method, status])).toEqual([
    ["GET", 400],
    ["POST", 200],
    ["GET", 200],
  ]);
});

import { setTimeout as delay } from "node:timers/promises";
import { ApolloClient, ApolloLink, gql as apolloGql, InMemoryCache, Observable } from "@apollo/client";
import { subscriptionExchange, Client as UrqlClient } from "@urql/core";
import { print } from "graphql";
import { type ClientOptions, createClient } from "graphql-sse";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../../tools/postgres.mjs";
import { LiveBed, type LiveServer, NEWS } from "../support/liveServers.js";
import { expectSilentConsole } from "./support.js";

const EVENTS = `subscription Events($channelId: TelegramID!, $after: ID) {
  memberEvents(channelId: $channelId, after: $after) { id kind userId inviteLink { id stats { joinCount } } }
}`;

interface MemberEvent {
  readonly id: string;
  readonly userId: number;
}

/** What a client's subscription tells. */
interface Told {
  readonly events: MemberEvent[];
  /** The codes of errors in results. */
  readonly codes: string[];
  isComplete: boolean;
}

/** Options of graphql-sse's client that resume after the last event, as the README says. */
function resuming(url: string, token: string): ClientOptions {
  let lastEventId: string | undefined;
  return {
    url,
    headers: () => ({
      authorization: `Bearer ${token}`,
      ...(lastEventId === undefined ? {} : { "last-event-id": lastEventId }),
    }),
    onMessage({ data }) {
      const event = (data as { data?: { memberEvents?: MemberEvent } } | null)?.data?.memberEvents;
      lastEventId = event?.id ?? lastEventId;
    },
    retryAttempts: 1000,
    retry: () => delay(50),
  };
}

type Subscribe = (url: string, token: string, variables: object, told: Told) => () => void;

function tell(
  told: Told,
  { data, errors }: { data?: unknown; errors?: readonly { extensions?: unknown }[] },
): void {
  const event = (data as { memberEvents?: MemberEvent } | null | undefined)?.memberEvents;
  if (event) told.events.push(event);
  for (const { extensions } of errors ?? []) told.codes.push((extensions as { code: string }).code);
}

const byGraphqlSse: Subscribe = (url, token, variables, told) => {
  const client = createClient(resuming(url, token));
  client.subscribe<Record<string, unknown>>(
    { query: EVENTS, variables: { ...variables } },
    {
      next: (result) => tell(told, result as Parameters<typeof tell>[1]),
      error(error) {
        throw error;
      },
      complete() {
        told.isComplete = true;
      },
    },
  );
  return () => client.dispose();
};

const byApollo: Subscribe = (url, token, variables, told) => {
  const sse = createClient(resuming(url, token));
  const link = new ApolloLink(
    ({ operationName, query, variables: given }) =>
      new Observable((sink) =>
        sse.subscribe(
          { ...(operationName && { operationName }), query: print(query), variables: given },
          {
            next: (value) => sink.next(value as ApolloLink.Result),
            error: (error) => sink.error(error),
            complete: () => sink.complete(),
          },
        ),
      ),
  );
  const client = new ApolloClient({ link, cache: new InMemoryCache() });
  client.subscribe({ query: apolloGql(EVENTS), variables, errorPolicy: "all" }).subscribe({
    next({ data, error }) {
      const errors = (error as { errors?: readonly { extensions?: unknown }[] } | undefined)?.errors;
      tell(told, { data, ...(errors && { errors }) });
    },
    complete() {
      told.isComplete = true;
    },
  });
  return () => {
    client.stop();
    sse.dispose();
  };
};

const byUrql: Subscribe = (url, token, variables, told) => {
  const sse = createClient(resuming(url, token));
  const client = new UrqlClient({
    url,
    preferGetMethod: false,
    exchanges: [
      subscriptionExchange({
        forwardSubscription: ({ query = "", variables: given }) => ({
          subscribe: (sink) => ({
            unsubscribe: sse.subscribe(
              { query, variables: given as Record<string, unknown> },
              {
                next: (value) => sink.next(value as never),
                error: (error) => sink.error(error),
                complete: () => sink.complete(),
              },
            ),
          }),
        }),
      }),
    ],
  });
  const { unsubscribe } = client.subscription(EVENTS, variables).subscribe(({ data, error, hasNext }) => {
    // At its end urql repeats the last result.
    if (hasNext) tell(told, { data, ...(error && { errors: error.graphQLErrors }) });
    told.isComplete = !hasNext;
  });
  return () => {
    unsubscribe();
    sse.dispose();
  };
};

const PATIENCE = { timeout: 60_000, interval: 10 };

describe.each([
  ["graphql-sse's client", byGraphqlSse],
  ["Apollo Client with a link made of graphql-sse's client", byApollo],
  ["urql's subscription exchange with graphql-sse's client", byUrql],
] as const)("%s", (_name, subscribe) => {
  let bed: LiveBed;
  let server: LiveServer;
  beforeAll(async () => {
    bed = await LiveBed.prepare("embedded");
    server = await bed.start(await freePort());
    await server.ask(`mutation { connectChannel(input: { chat: "${NEWS}" }) { __typename } }`);
  });
  afterAll(() => bed?.close());
  expectSilentConsole();

  const join = (url: string) => {
    const person = bed.newPerson();
    bed.telegram.control.join(NEWS, person, { url });
    return person.id;
  };
  const newTold = (): Told => ({ events: [], codes: [], isComplete: false });
  const users = ({ events }: Told) => events.map(({ userId }) => userId);

  test("receives events, and after a restart of the server every event that it has missed, once", async () => {
    const { url } = await server.makeLink(NEWS);
    const told = newTold();
    const close = subscribe(server.url, server.token, { channelId: NEWS }, told);
    const expected: number[] = [];
    // The first event that arrives shows that the subscription has begun.
    while (told.events.length === 0) {
      expected.push(join(url));
      await delay(200);
    }
    await expect.poll(() => users(told).at(-1), PATIENCE).toBe(expected.at(-1));
    expected.splice(0, expected.length - told.events.length);
    const { port } = new URL(server.url);
    await server.stop();
    for (let count = 0; count < 5; count += 1) expected.push(join(url));
    server = await bed.start(Number(port));
    expected.push(join(url));
    await expect.poll(() => users(told), PATIENCE).toEqual(expected);
    expect(told).toMatchObject({ codes: [], isComplete: false });
    close();
  });

  test("gets the code of a subscription that is refused, and its end", async () => {
    const told = newTold();
    const close = subscribe(server.url, server.token, { channelId: NEWS, after: "nothing" }, told);
    await expect.poll(() => told.isComplete, PATIENCE).toBe(true);
    expect(told).toEqual({ events: [], codes: ["BAD_USER_INPUT"], isComplete: true });
    close();
  });

  test("gets the code of a token that is revoked, and the end of the subscription", async () => {
    const { id, secret } = await server.makeToken("VIEWER", null);
    const told = newTold();
    const close = subscribe(server.url, secret, { channelId: NEWS }, told);
    await expect
      .poll(
        () => server.log.some(({ msg, sql }) => msg === "sql" && String(sql).includes("revoked_at is null")),
        PATIENCE,
      )
      .toBe(true);
    await server.ask(`mutation { revokeApiToken(input: { id: "${id}" }) { __typename } }`);
    await expect.poll(() => told.codes, PATIENCE).toEqual(["UNAUTHENTICATED"]);
    await expect.poll(() => told.isComplete, PATIENCE).toBe(true);
    close();
  });
});

import { ApolloClient, ApolloLink, HttpLink, ServerError } from "@apollo/client";
import { OperationTypeNode } from "graphql";
import { Observable } from "rxjs";
import { createCache } from "./cache.js";
import { Connection, isUnreachable } from "./connection.js";
import { probe } from "./probe.js";
import { createEventsLink } from "./subscriptions.js";
import { wholeLists } from "./wholeLists.js";

/** What the client needs of the session. */
export interface Credentials {
  /** The token of the moment: signing in again replaces it, and what is on the page stays. */
  readonly getToken: () => string;
  /** Called when the server accepts a token. */
  readonly onAccepted: (token: string) => void;
  /** Called when the server rejects a token (401). */
  readonly onRefused: (token: string) => void;
}

export interface Api {
  readonly client: ApolloClient;
  readonly connection: Connection;
}

/** How long other subscriptions may take to go on after the first, in milliseconds. */
const GATHER_MS = 200;

export function createApi(credentials: Credentials): Api {
  const { getToken, onRefused } = credentials;
  /** Fetches again what is on the page, also what had failed: a query in error does not do so by itself. */
  const refetch = () => void client.refetchQueries({ include: "active" }).catch(() => {});
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** The subscriptions of a page go on at the same time, and what they have missed is fetched once. */
  const catchUp = () => {
    clearTimeout(timer);
    timer = setTimeout(refetch, GATHER_MS);
  };
  const connection = new Connection(async () => (await probe(getToken())) !== "unreachable", refetch);
  const client = new ApolloClient({
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      createEventsLink(getToken, connection, onRefused, catchUp),
      ApolloLink.from([
        wholeLists,
        createWatchLink(connection, credentials),
        new HttpLink({ uri: "/graphql" }),
      ]),
    ),
    cache: createCache(),
    // Several queries select from the same list, and one that is loaded again must not throw away what others have of it.
    defaultOptions: { watchQuery: { refetchWritePolicy: "merge" } },
  });
  return { client, connection };
}

/** Sends the token, and learns from each answer whether the server can be reached, and whether it accepts the token. */
const createWatchLink = (
  connection: Connection,
  { getToken, onAccepted, onRefused }: Credentials,
): ApolloLink =>
  new ApolloLink(
    (operation, forward) =>
      new Observable((observer) => {
        const token = getToken();
        operation.setContext(({ headers = {} }) => ({
          headers: { ...headers, authorization: `Bearer ${token}` },
        }));
        return forward(operation).subscribe({
          next(result) {
            connection.restore();
            onAccepted(token);
            observer.next(result);
          },
          error(error: unknown) {
            if (isUnreachable(error)) connection.lose();
            else connection.restore();
            if (ServerError.is(error) && error.statusCode === 401) onRefused(token);
            observer.error(error);
          },
          complete: () => observer.complete(),
        });
      }),
  );

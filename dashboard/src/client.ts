import {
  type ApolloCache,
  ApolloClient,
  ApolloLink,
  HttpLink,
  InMemoryCache,
  ServerError,
} from "@apollo/client";
import { ErrorLink } from "@apollo/client/link/error";
import { relayStylePagination } from "@apollo/client/utilities";
import { possibleTypes } from "./gql/possibleTypes.js";

/** @param onRefused called if the server rejects the token (401). */
export function createClient(token: string, onRefused: () => void): ApolloClient {
  const refusals = new ErrorLink(({ error }) => {
    if (ServerError.is(error) && error.statusCode === 401) onRefused();
  });
  const http = new HttpLink({ uri: "/graphql", headers: { authorization: `Bearer ${token}` } });
  return new ApolloClient({
    link: ApolloLink.from([refusals, http]),
    cache: new InMemoryCache({
      possibleTypes,
      typePolicies: {
        Query: {
          fields: {
            channels: relayStylePagination(),
            // The pages of a list are merged; another channel, filter or order is another list.
            inviteLinks: relayStylePagination(["channelId", "filter", "orderBy"]),
          },
        },
      },
    }),
  });
}

/**
 * For the `update` of a mutation: evicts all lists of links and tags. Apollo updates the returned object itself by its
 * id, but the mutation may also change lists, orders, counts and sums. Visible lists are fetched again at once, others
 * when they are shown. There are no optimistic responses, because an edit is done only when Telegram has confirmed it.
 */
export function evictLists(cache: ApolloCache): void {
  cache.evict({ id: "ROOT_QUERY", fieldName: "inviteLinks" });
  cache.evict({ id: "ROOT_QUERY", fieldName: "tags" });
  cache.gc();
}

/** The result of a mutation, which is a success or a typed error. @throws Error if the server sent none. */
export function requireResult<Result>(result: Result | null | undefined): Result {
  if (result == null) throw new Error("The server sent no result.");
  return result;
}

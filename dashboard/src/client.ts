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

/** @param onRefused told when the server does not know the token (any more) */
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
            // A list grows page by page; another channel, filter or order is another list.
            inviteLinks: relayStylePagination(["channelId", "filter", "orderBy"]),
          },
        },
      },
    }),
  });
}

/**
 * For a mutation's `update`. What it gives back is in the cache by its id already, but which links are in which list,
 * in what order, and every count and sum may be others now: what is on the screen is asked for again, the rest when
 * it is shown. Nothing is shown as done before Telegram has said so, hence no optimistic responses.
 */
export function forgetLists(cache: ApolloCache): void {
  cache.evict({ id: "ROOT_QUERY", fieldName: "inviteLinks" });
  cache.evict({ id: "ROOT_QUERY", fieldName: "tags" });
  cache.gc();
}

/** A mutation's result, which tells errors by their types; without one there is nothing to tell. */
export function answered<Result>(result: Result | null | undefined): Result {
  if (result == null) throw new Error("The server gave no result.");
  return result;
}

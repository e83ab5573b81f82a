import { type ApolloCache, InMemoryCache } from "@apollo/client";
import { relayStylePagination } from "@apollo/client/utilities";
import { possibleTypes } from "./gql/possibleTypes.js";

export const createCache = (): InMemoryCache =>
  new InMemoryCache({
    possibleTypes,
    typePolicies: {
      InviteLink: { fields: { members: relayStylePagination(["isActive"]) } },
      InviteLinkBatch: { fields: { items: relayStylePagination(["states"]) } },
      // Objects without an id of their own: what one query selects of them joins what another one did.
      InviteLinkStats: { merge: true },
      Viewer: { merge: true },
      InviteLinkTotals: { merge: true },
      Query: {
        fields: {
          // The lists of the shell and of the settings have other fields, so that neither can go on with the other's pages.
          channels: relayStylePagination(["first"]),
          memberEvents: relayStylePagination(["channelId", "filter"]),
          // The pages of a list are merged; another channel, filter or order is another list.
          inviteLinks: relayStylePagination(["channelId", "filter", "orderBy"]),
          joinRequests: relayStylePagination(["channelId", "filter"]),
          failedUpdates: relayStylePagination(),
        },
      },
      Webhook: { fields: { deliveries: relayStylePagination(["states"]) } },
    },
  });

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

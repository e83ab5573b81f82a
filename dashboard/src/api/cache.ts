import { InMemoryCache } from "@apollo/client";
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
          auditEntries: relayStylePagination(["filter"]),
        },
      },
      Webhook: { fields: { deliveries: relayStylePagination(["states"]) } },
    },
  });

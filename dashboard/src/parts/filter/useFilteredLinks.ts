import { CombinedGraphQLErrors } from "@apollo/client";
import { useQuery } from "@apollo/client/react";
import { graphql } from "../../api/gql/index.js";
import { isAwaited, shownData } from "../../api/shownData.js";
import { useChannel } from "../../shell/channel.js";
import { useView } from "./useView.js";
import { filterOf } from "./view.js";

/** The channel, with counts over all links that match; they do not depend on the order or on the rows shown. */
const SUMMARY = graphql(`
  query Summary($channelId: TelegramID!, $filter: InviteLinkFilter) {
    channel(telegramId: $channelId) {
      id
      currency
      botStatus
      ...BotNotice
    }
    inviteLinks(channelId: $channelId, filter: $filter, first: 0) {
      totalCount
      facets {
        ...Facet
        ...TagChoice
        ...FilterChip
        type {
          id
          name
        }
      }
    }
  }
`);

/** Sums over all links that match. They are a query of their own, since they move with each member who comes. */
const SUMS = graphql(`
  query Sums($channelId: TelegramID!, $filter: InviteLinkFilter) {
    inviteLinks(channelId: $channelId, filter: $filter, first: 0) {
      totals {
        joinCount
        activeCount
        budget
        costPerActiveMember
      }
    }
  }
`);

/**
 * The links that match the filter in the address, counted and summed. While another filter is loaded, the numbers of the
 * one before stay, so that the layout does not jump.
 */
export function useFilteredLinks() {
  const { channelId, timeZone } = useChannel();
  const { view, dropped, changeView } = useView();
  const variables = { channelId, filter: filterOf(view, timeZone) };
  const summary = useQuery(SUMMARY, { variables, fetchPolicy: "cache-and-network" });
  const sums = useQuery(SUMS, { variables, fetchPolicy: "cache-and-network" });
  // The channel is the same under every filter. The tags stay even under an error, so that another filter can be chosen.
  const known = summary.data ?? summary.previousData;
  const facets = known?.inviteLinks.facets ?? [];
  return {
    view,
    /** Parameters of the address without a meaning. */
    dropped,
    changeView,
    variables,
    /** Null until it is loaded, or if the channel is not known yet. */
    channel: known?.channel ?? null,
    totalCount: shownData(summary)?.inviteLinks.totalCount,
    totals: shownData(sums)?.inviteLinks.totals,
    facets,
    types: facets.map(({ type }) => type),
    /** Whether the numbers are still those of another filter. */
    isBusy: isAwaited(summary) || isAwaited(sums),
    isRefused: CombinedGraphQLErrors.is(summary.error),
    error: summary.error ?? sums.error,
    retry: () => void Promise.all([summary.refetch(), sums.refetch()]).catch(() => {}),
  };
}

export type FilteredLinks = ReturnType<typeof useFilteredLinks>;

import { useApolloClient, useQuery, useSubscription } from "@apollo/client/react";
import { useEffect, useRef } from "react";
import { graphql } from "../../api/gql/index.js";
import { useIsVisible } from "../../ui/useIsVisible.js";
import { reloadCounts } from "./reloadCounts.js";

/** The subscription goes on after this event, so that none is missed until it is connected. */
const LAST_EVENT = graphql(`
  query LastEvent($channelId: TelegramID!) {
    memberEvents(channelId: $channelId, first: 1) {
      nodes {
        id
      }
    }
  }
`);

const ARRIVALS = graphql(`
  subscription RequestArrivals($channelId: TelegramID!, $after: ID) {
    memberEvents(channelId: $channelId, after: $after) {
      id
      kind
    }
  }
`);

/** Many may ask at once; the list is fetched once, this many milliseconds after the first. */
const GATHER_MS = 1000;

/**
 * Calls back soon after requests came or were decided, and when a hidden tab is shown again.
 * @param isHeld whether the list must stay as it is for now
 */
export function useArrivals(channelId: number, isHeld: boolean, refetch: () => void): void {
  const client = useApolloClient();
  const isVisible = useIsVisible();
  const wasHidden = useRef(false);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const latest = useRef({ isHeld, refetch });
  latest.current = { isHeld, refetch };
  const update = () => {
    timer.current = undefined;
    if (latest.current.isHeld) return gather();
    latest.current.refetch();
    reloadCounts(client);
  };
  const gather = () => {
    timer.current ??= setTimeout(update, GATHER_MS);
  };
  const { data: known } = useQuery(LAST_EVENT, { variables: { channelId }, fetchPolicy: "no-cache" });
  const isKnown = known !== undefined;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the list may be older than the event.
  useEffect(() => {
    if (isKnown) gather();
  }, [isKnown]);
  useSubscription(ARRIVALS, {
    variables: { channelId, after: known?.memberEvents.nodes[0]?.id ?? null },
    skip: !isVisible || !isKnown,
    ignoreResults: true,
    onData: ({ data }) => {
      if (data.data?.memberEvents.kind !== "LEFT") gather();
    },
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: only a tab that is shown again catches up.
  useEffect(() => {
    if (isVisible && wasHidden.current) gather();
    wasHidden.current = !isVisible;
    return () => {
      clearTimeout(timer.current);
      timer.current = undefined;
    };
  }, [isVisible]);
}

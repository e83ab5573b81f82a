import { useApolloClient, useSubscription } from "@apollo/client/react";
import { useEffect, useRef } from "react";
import { graphql } from "../../api/gql/index.js";
import { useIsVisible } from "../../ui/useIsVisible.js";

/** Whoever changed it: another user, another tab, or Telegram. The cache takes the new state of the link. */
const LINK_CHANGED = graphql(`
  subscription LinkChanged($channelId: TelegramID!) {
    inviteLinkUpdated(channelId: $channelId) {
      id
      ...LinkRow
    }
  }
`);

/** The lists and sums that a changed link may move. */
const MOVED = ["Summary", "Links", "Budgets"];
/** Many links may change at once; their lists are fetched once, this many milliseconds after the first. */
const GATHER_MS = 1000;

/** Shows at once what others change in the links of a channel. A hidden tab does not listen, and catches up later. */
export function useChangedLinks(channelId: number): void {
  const client = useApolloClient();
  const isVisible = useIsVisible();
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const wasHidden = useRef(false);
  const refetch = () => {
    const active = [...client.getObservableQueries().values()].map(({ queryName }) => queryName);
    client.refetchQueries({ include: MOVED.filter((name) => active.includes(name)) }).catch(() => {});
  };
  useSubscription(LINK_CHANGED, {
    variables: { channelId },
    skip: !isVisible,
    ignoreResults: true,
    onData: () => {
      timer.current ??= setTimeout(() => {
        timer.current = undefined;
        refetch();
      }, GATHER_MS);
    },
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: only a tab that is shown again catches up.
  useEffect(() => {
    if (isVisible && wasHidden.current) refetch();
    wasHidden.current = !isVisible;
    return () => {
      clearTimeout(timer.current);
      timer.current = undefined;
    };
  }, [isVisible]);
}

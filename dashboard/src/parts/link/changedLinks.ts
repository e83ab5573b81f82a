import { useApolloClient, useSubscription } from "@apollo/client/react";
import { useEffect, useRef } from "react";
import type { ChangedLinkFragment, ShownLinkFragment } from "../../api/gql/graphql.js";
import { graphql, read } from "../../api/gql/index.js";
import { refetchShown } from "../../api/refetchShown.js";
import { useIsVisible } from "../../ui/useIsVisible.js";
import { SHOWN_LINK } from "./shownLink.js";

const CHANGED_LINK = graphql(`
  fragment ChangedLink on InviteLink {
    id
    createdAt
    updatedAt
    stats {
      lastJoinAt
    }
    ...ShownLink
  }
`);

/** Whoever changed it: another user, another tab, or Telegram. */
const LINK_CHANGED = graphql(`
  subscription LinkChanged($channelId: TelegramID!) {
    inviteLinkUpdated(channelId: $channelId) {
      ...ChangedLink
    }
  }
`);

/** The names of the queries on a page that a changed link may move. */
export interface Moved {
  /** If the link itself changed. */
  readonly changed: readonly string[];
  /** If only its numbers moved, because somebody came or left. */
  readonly counted: readonly string[];
}

/** Many links may change at once; their lists are fetched once, this many milliseconds after the first. */
const GATHER_MS = 1000;
/** A join so much later than the last change of a link is why the link was sent. In milliseconds. */
const APART_MS = 10_000;

/**
 * Shows at once what others change in the links of a channel, and their numbers: the cache takes the new state of a link,
 * and lists and sums are fetched again. A hidden tab does not listen, and catches up later.
 * @param onlyId the only link that the page is about
 */
export function useChangedLinks(channelId: number, moved: Moved, onlyId?: string): void {
  const client = useApolloClient();
  const isVisible = useIsVisible();
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const waiting = useRef(new Set<string>());
  const wasHidden = useRef(false);
  const gather = () => {
    timer.current ??= setTimeout(async () => {
      const names = [...waiting.current];
      waiting.current.clear();
      // A long list takes a while. It is not asked for twice at the same time.
      await refetchShown(client, names);
      timer.current = undefined;
      if (waiting.current.size > 0) gather();
    }, GATHER_MS);
  };
  const rowOf = (id: string) =>
    client.cache.readFragment({ fragment: SHOWN_LINK, fragmentName: "ShownLink", id: `InviteLink:${id}` });
  /** Whether a link moved in its numbers alone. */
  const isCounted = (
    before: ShownLinkFragment | null,
    after: ShownLinkFragment | null,
    link: ChangedLinkFragment,
  ): boolean => {
    if (before)
      return JSON.stringify({ ...before, stats: null }) === JSON.stringify({ ...after, stats: null });
    const { createdAt, updatedAt, stats } = link;
    const lastChange = Math.max(Date.parse(createdAt), Date.parse(updatedAt ?? createdAt));
    return stats.lastJoinAt != null && Date.parse(stats.lastJoinAt) > lastChange + APART_MS;
  };
  useSubscription(LINK_CHANGED, {
    variables: { channelId },
    skip: !isVisible,
    ignoreResults: true,
    // It is compared with what is in the cache before it is written there.
    fetchPolicy: "no-cache",
    onData: ({ data: { data } }) => {
      if (!data) return;
      const link = read(CHANGED_LINK, data.inviteLinkUpdated);
      const before = rowOf(link.id);
      client.cache.writeFragment({ fragment: CHANGED_LINK, fragmentName: "ChangedLink", data: link });
      const names = isCounted(before, rowOf(link.id), link) ? moved.counted : moved.changed;
      if (onlyId !== undefined && link.id !== onlyId) return;
      for (const name of names) waiting.current.add(name);
      gather();
    },
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: only a tab that is shown again catches up.
  useEffect(() => {
    if (isVisible && wasHidden.current) void refetchShown(client, moved.changed);
    wasHidden.current = !isVisible;
    return () => {
      waiting.current.clear();
      clearTimeout(timer.current);
      timer.current = undefined;
    };
  }, [isVisible]);
}

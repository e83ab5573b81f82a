import { useQuery } from "@apollo/client/react";
import type { ChannelNamesQuery } from "../api/gql/graphql.js";
import { graphql } from "../api/gql/index.js";

/** The shell's list, which it loads whole; so this query seldom reaches the server. */
const CHANNEL_NAMES = graphql(`
  query ChannelNames {
    channels(first: 100) {
      pageInfo {
        hasNextPage
        endCursor
      }
      edges {
        cursor
        node {
          id
          telegramId
          title
          username
        }
      }
    }
  }
`);

type NamedChannel = ChannelNamesQuery["channels"]["edges"][number]["node"];

/**
 * The channels that the token may use.
 * @param askEveryMs how often the server is asked while the page is visible; left out: only for what is not known yet
 */
export function useChannels(askEveryMs?: number): readonly NamedChannel[] {
  const { data } = useQuery(CHANNEL_NAMES, {
    ...(askEveryMs !== undefined && {
      pollInterval: askEveryMs,
      skipPollAttempt: () => document.hidden,
      fetchPolicy: "network-only" as const,
    }),
  });
  return data?.channels.edges.map(({ node }) => node) ?? [];
}

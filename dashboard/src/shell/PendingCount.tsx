import { useQuery } from "@apollo/client/react";
import { graphql } from "../api/gql/index.js";
import { useI18n } from "../i18n/index.js";

const PENDING_REQUESTS = graphql(`
  query PendingRequests($channelId: TelegramID!) {
    joinRequests(channelId: $channelId, filter: { states: [PENDING] }, first: 0) {
      totalCount
    }
  }
`);

const ASK_EVERY_MS = 30_000;

/** How many requests wait in a channel, beside the name of their page. */
export default function PendingCount({ channelId }: { readonly channelId: number }) {
  const { number } = useI18n();
  const { data } = useQuery(PENDING_REQUESTS, {
    variables: { channelId },
    pollInterval: ASK_EVERY_MS,
    skipPollAttempt: () => document.hidden,
  });
  const count = data?.joinRequests.totalCount ?? 0;
  return count > 0 && <span className="role">{number(count)}</span>;
}

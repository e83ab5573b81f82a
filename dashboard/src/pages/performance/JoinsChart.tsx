import { useQuery } from "@apollo/client/react";
import type { InviteLinkFilter } from "../../api/gql/graphql.js";
import { graphql } from "../../api/gql/index.js";
import { isAwaited, shownData } from "../../api/shownData.js";
import { useChannel } from "../../shell/channel.js";
import { ChartPanel } from "../../ui/chart/ChartPanel.js";
import { type Span, timeOf } from "../../ui/chart/spans.js";

const JOINS = graphql(`
  query Joins(
    $channelId: TelegramID!
    $filter: InviteLinkFilter
    $from: DateTime!
    $to: DateTime!
    $unit: TimeUnit!
  ) {
    inviteLinks(channelId: $channelId, filter: $filter, first: 0) {
      series(from: $from, to: $to, unit: $unit) {
        from
        joinCount
        leaveCount
        activeCount
      }
    }
  }
`);

/** Joins and leaves by the links that match, over time. */
export function JoinsChart(props: {
  readonly variables: { readonly channelId: number; readonly filter: InviteLinkFilter };
  readonly span: Span;
  readonly onSpan: (span: Span) => void;
}) {
  const { variables, span, onSpan } = props;
  const { timeZone } = useChannel();
  const joins = useQuery(JOINS, {
    variables: { ...variables, ...timeOf(span, timeZone) },
    fetchPolicy: "cache-and-network",
  });
  return (
    <ChartPanel
      buckets={shownData(joins)?.inviteLinks.series}
      span={span}
      timeZone={timeZone}
      isBusy={isAwaited(joins)}
      error={joins.error}
      onRetry={() => void joins.refetch().catch(() => {})}
      onSpan={onSpan}
    />
  );
}

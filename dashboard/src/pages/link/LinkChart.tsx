import { useQuery } from "@apollo/client/react";
import { useState } from "react";
import { graphql } from "../../api/gql/index.js";
import { isAwaited, shownData } from "../../api/shownData.js";
import { useChannel } from "../../shell/channel.js";
import { ChartPanel } from "../../ui/chart/ChartPanel.js";
import { type Span, timeOf } from "../../ui/chart/spans.js";

const LINK_SERIES = graphql(`
  query LinkSeries($channelId: TelegramID!, $id: ID!, $from: DateTime!, $to: DateTime!, $unit: TimeUnit!) {
    inviteLink(id: $id, channelId: $channelId) {
      id
      stats {
        series(from: $from, to: $to, unit: $unit) {
          from
          joinCount
          leaveCount
          activeCount
        }
      }
    }
  }
`);

/** Joins and leaves by one link over time. */
export function LinkChart({ channelId, id }: { readonly channelId: number; readonly id: string }) {
  const { timeZone } = useChannel();
  const [span, setSpan] = useState<Span>(30);
  const series = useQuery(LINK_SERIES, {
    variables: { channelId, id, ...timeOf(span, timeZone) },
    fetchPolicy: "cache-and-network",
  });
  return (
    <ChartPanel
      buckets={shownData(series)?.inviteLink?.stats.series}
      span={span}
      timeZone={timeZone}
      isBusy={isAwaited(series)}
      error={series.error}
      onRetry={() => void series.refetch().catch(() => {})}
      onSpan={setSpan}
    />
  );
}

import { useMutation, useQuery } from "@apollo/client/react";
import { useState } from "react";
import type { DeliveriesQuery, WebhookDeliveryState } from "../../api/gql/graphql.js";
import { graphql } from "../../api/gql/index.js";
import { requireResult, useAttempt } from "../../api/problems.js";
import { useI18n } from "../../i18n/index.js";
import { Loading } from "../../parts/Loading.js";
import { Problem } from "../../ui/Problem.js";
import { toast } from "../../ui/toast.js";

const DELIVERIES = graphql(`
  query Deliveries($id: ID!, $states: [WebhookDeliveryState!], $first: Int, $after: String) {
    node(id: $id) {
      __typename
      ... on Webhook {
        id
        deliveries(first: $first, after: $after, states: $states) {
          totalCount
          pageInfo {
            hasNextPage
            endCursor
          }
          edges {
            cursor
            node {
              id
              eventType
              state
              attemptCount
              status
              error
              createdAt
              deliveredAt
              nextAttemptAt
            }
          }
        }
      }
    }
  }
`);

const REDELIVER = graphql(`
  mutation Redeliver($input: RedeliverInput!) {
    redeliver(input: $input) {
      __typename
      ... on RedeliverSuccess {
        deliveries {
          id
          state
          attemptCount
          nextAttemptAt
        }
      }
      ...Problem
    }
  }
`);

const STATES = ["FAILED", "WAITING", "DELIVERED"] as const satisfies readonly WebhookDeliveryState[];
/** No subscription tells of deliveries. They are asked for while they are open and visible. */
const ASK_EVERY_MS = 5000;
/** The most deliveries that one mutation takes. */
const MOST = 100;

const listOf = ({ node }: DeliveriesQuery) => (node?.__typename === "Webhook" ? node.deliveries : undefined);

/** What became of the events of a webhook, the latest first. */
export function Deliveries({ webhookId }: { readonly webhookId: string }) {
  const { t, number, dayAndTime } = useI18n();
  const [state, setState] = useState<WebhookDeliveryState | null>(null);
  const { data, previousData, error, refetch, fetchMore } = useQuery(DELIVERIES, {
    variables: { id: webhookId, states: state && [state], first: 50 },
    fetchPolicy: "cache-and-network",
    pollInterval: ASK_EVERY_MS,
    skipPollAttempt: () => document.hidden,
  });
  const [redeliver] = useMutation(REDELIVER);
  const { problem, isBusy, attempt } = useAttempt();
  // The rows before stand until those of another state are loaded, but not if that fails.
  const loaded = data ?? (error ? undefined : previousData);
  const list = loaded && listOf(loaded);
  if (list === undefined) return <Loading error={error} refetch={refetch} />;
  const shown = list.edges.map((edge) => edge.node);
  const failed = shown.filter((one) => one.state === "FAILED").map(({ id }) => id);
  const sendAgain = (deliveryIds: string[]) =>
    attempt(async () => {
      const { data: sent } = await redeliver({ variables: { input: { deliveryIds } } });
      const result = requireResult(sent?.redeliver);
      if (result.__typename !== "RedeliverSuccess") return result;
      const count = result.deliveries.length;
      toast({ message: t("settings.deliveries.sentAgain", { count, shown: number(count) }) });
      return null;
    });
  return (
    <div className="delivery-list">
      <div className="thing-buttons">
        <label>
          <span className="hidden">{t("links.state")}</span>
          <select
            value={state ?? ""}
            onChange={({ target }) => setState(STATES.find((one) => one === target.value) ?? null)}
          >
            <option value="">{t("state.all")}</option>
            {STATES.map((one) => (
              <option key={one} value={one}>
                {t(`settings.deliveries.states.${one}`)}
              </option>
            ))}
          </select>
        </label>
        {failed.length > 0 && (
          <button type="button" aria-disabled={isBusy} onClick={() => void sendAgain(failed.slice(0, MOST))}>
            {t("settings.deliveries.allAgain", {
              count: Math.min(failed.length, MOST),
              shown: number(Math.min(failed.length, MOST)),
            })}
          </button>
        )}
      </div>
      {problem && <Problem problem={problem} />}
      {shown.length === 0 && <p className="muted">{t("settings.deliveries.none")}</p>}
      <ul>
        {shown.map(({ id, eventType, state: its, attemptCount, status, error: reason, ...times }) => {
          const name = t(`settings.webhooks.events.${eventType}`);
          return (
            <li key={id}>
              <div className="thing">
                <p>
                  <span
                    className="badge"
                    data-kind={its === "FAILED" ? "ended" : its === "DELIVERED" ? "good" : "plain"}
                  >
                    {t(`settings.deliveries.states.${its}`)}
                  </span>{" "}
                  {name} <span className="small muted">{dayAndTime(times.createdAt)}</span>
                </p>
                <p className="small muted">
                  {t("settings.deliveries.attempts", { count: attemptCount, shown: number(attemptCount) })}
                  {status !== null && ` · HTTP ${status}`}
                  {times.nextAttemptAt != null &&
                    ` · ${t("settings.deliveries.next", { time: dayAndTime(times.nextAttemptAt) })}`}
                </p>
                {reason != null && <p className="small field-problem">{reason}</p>}
              </div>
              {its !== "WAITING" && (
                <button
                  type="button"
                  className="slim"
                  aria-label={t("settings.deliveries.againOf", { name, time: dayAndTime(times.createdAt) })}
                  aria-disabled={isBusy}
                  onClick={() => void sendAgain([id])}
                >
                  {t("settings.deliveries.again")}
                </button>
              )}
            </li>
          );
        })}
      </ul>
      {list.pageInfo.hasNextPage && (
        <button
          type="button"
          onClick={() => void fetchMore({ variables: { after: list.pageInfo.endCursor } }).catch(() => {})}
        >
          {t("links.showMore")}
        </button>
      )}
    </div>
  );
}

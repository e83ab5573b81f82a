import { useMutation, useQuery } from "@apollo/client/react";
import { graphql } from "../../api/gql/index.js";
import { requireResult, useAttempt } from "../../api/problems.js";
import { useI18n } from "../../i18n/index.js";
import { Loading } from "../../parts/Loading.js";
import { Problem } from "../../ui/Problem.js";
import { toast } from "../../ui/toast.js";
import { Section } from "./Section.js";

const FAILED_UPDATES = graphql(`
  query FailedUpdates($first: Int, $after: String) {
    failedUpdates(first: $first, after: $after) {
      totalCount
      pageInfo {
        hasNextPage
        endCursor
      }
      edges {
        cursor
        node {
          id
          updateId
          reason
          receivedAt
          body
        }
      }
    }
  }
`);

const RETRY = graphql(`
  mutation RetryUpdates($input: RetryFailedUpdatesInput!) {
    retryFailedUpdates(input: $input) {
      __typename
      ... on RetryFailedUpdatesSuccess {
        succeededCount
        failedCount
      }
      ...Problem
    }
  }
`);

/** The most updates that one mutation takes. */
const MOST = 100;

/** The updates of Telegram's that could not be understood or stored. */
export default function UpdatesSection() {
  const { t, number, dayAndTime } = useI18n();
  const { data, previousData, error, refetch, fetchMore } = useQuery(FAILED_UPDATES, {
    variables: { first: 50 },
    fetchPolicy: "cache-and-network",
  });
  const [retry] = useMutation(RETRY);
  const { problem, isBusy, attempt } = useAttempt();
  const list = (data ?? previousData)?.failedUpdates;
  const updates = list?.edges.map(({ node }) => node) ?? [];
  const retryAll = (ids: string[]) =>
    attempt(async () => {
      const { data: retried } = await retry({ variables: { input: { ids } } });
      const result = requireResult(retried?.retryFailedUpdates);
      if (result.__typename !== "RetryFailedUpdatesSuccess") return result;
      await refetch();
      const { succeededCount: stored, failedCount: left } = result;
      toast({
        message: `${t("settings.updates.stored", { count: stored, shown: number(stored) })} ${
          left > 0 ? t("settings.updates.left", { count: left, shown: number(left) }) : ""
        }`.trim(),
      });
      document.getElementById("main")?.focus();
      return null;
    });
  return (
    <Section
      title={t("settings.sections.updates")}
      hint={t("settings.updates.hint")}
      action={
        updates.length > 1 && (
          <button
            type="button"
            aria-disabled={isBusy}
            onClick={() => void retryAll(updates.slice(0, MOST).map(({ id }) => id))}
          >
            {t("settings.updates.retryAll", {
              count: Math.min(updates.length, MOST),
              shown: number(Math.min(updates.length, MOST)),
            })}
          </button>
        )
      }
    >
      {problem && <Problem problem={problem} />}
      {list === undefined ? (
        <Loading error={error} refetch={refetch} />
      ) : updates.length === 0 ? (
        <p className="card nothing">{t("settings.updates.none")}</p>
      ) : (
        <>
          <p className="small muted">
            {t("settings.updates.count", { count: list.totalCount, shown: number(list.totalCount) })}
          </p>
          <ul className="card things">
            {updates.map(({ id, updateId, reason, receivedAt, body }) => (
              <li key={id}>
                <div className="thing">
                  <p className="thing-name">{reason}</p>
                  <p className="small muted">
                    {t("settings.updates.received", { id: String(updateId), time: dayAndTime(receivedAt) })}
                  </p>
                </div>
                <button
                  type="button"
                  aria-label={t("settings.updates.retryOf", { id: String(updateId) })}
                  aria-disabled={isBusy}
                  onClick={() => void retryAll([id])}
                >
                  {t("settings.updates.retry")}
                </button>
                <details>
                  <summary>{t("settings.updates.body")}</summary>
                  {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard. */}
                  <pre tabIndex={0}>{JSON.stringify(body, null, 2)}</pre>
                </details>
              </li>
            ))}
          </ul>
          {list.pageInfo.hasNextPage && (
            <button
              type="button"
              onClick={() =>
                void fetchMore({ variables: { after: list.pageInfo.endCursor } }).catch(() => {})
              }
            >
              {t("links.showMore")}
            </button>
          )}
        </>
      )}
    </Section>
  );
}
